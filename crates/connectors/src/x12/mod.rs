//! X12: the documents that warehouses have exchanged since before there were interfaces to call.
//!
//! The format is here by itself, pure and open to tests and viewer: [`read`] (lenient) and [`interchange`] (strict), the
//! documents 940, 945, 846, 947, 943, 944 and 997 as types, and what their segments, elements and codes mean. Version 004010;
//! 005010 is read and written with its own separators. The warehouse that is driven with it is [`SPEC`].

mod acknowledgement;
mod advice;
mod answering;
mod channel;
mod codes;
mod connector;
mod dictionary;
mod finding;
mod incoming;
mod inventory;
mod leniency;
mod order;
mod outgoing;
mod places;
mod profile;
mod reader;
mod receipt;
mod repeats;
mod segment;
mod taking;
mod units;
mod view;
mod wording;
mod writer;

pub use self::{
    acknowledgement::{Acknowledgement, InterchangeAcknowledgement, SetVerdict, Verdict, answer, refuse_group},
    advice::{Advice, AdviceBox, AdviceLine, LineStatus, OwnStatuses},
    codes::meaning,
    connector::SPEC,
    dictionary::{Element, ElementType, SegmentKind, group_code, segment_kind, set_name},
    finding::{Broken, ElementFault, Finding, FindingKind},
    inventory::{AdjustedLine, Adjustment, Figure, Inventory, Item},
    order::{Order, OrderCarrier, OrderParty, OrderedLine},
    reader::{Group, Interchange, Party, Set, decode, read},
    receipt::{Receipt, ReceiptLine},
    segment::{Segment, Separators},
    view::{ShownElement, ShownSegment, show},
    writer::{Envelope, Syntax, interchange},
};
