//! What the suite must know of a connector, and how it drives the simulator behind it.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use connect::{Capability, EffectKind, Warehouse, WebhookCall};
use rust_decimal::Decimal;
use simulators::audit::WarehouseOrder;

use crate::hub::HandClock;

/// A connector under the suite.
pub struct Entry {
    /// Its name.
    pub platform: &'static str,
    /// The classes of each effect it can bring about. What is not here it must refuse.
    pub declares: &'static [(EffectKind, &'static [Capability])],
    /// What its system can express. What is not here it must not make up.
    pub can: &'static [Can],
    /// A connector with its simulator, both new.
    pub open: fn(Opening) -> Opened,
}

/// A site that is being opened.
pub type Opened = std::pin::Pin<Box<dyn Future<Output = Box<dyn Site>> + Send>>;

/// How a site is to be.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opening {
    /// SKU-LOT has a lot, and each unit a serial number; where no product can have both, the units of SKU-A have them.
    pub tracked: bool,
    /// The system calls us.
    pub calls: bool,
}

/// What a system can express.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Can {
    /// That nothing more will come of an order that is short.
    SayThatAnOrderIsShort,
    /// In which box the goods are.
    NameBoxes,
    /// Lots and serial numbers, also of one product.
    NameLotsAndSerials,
    /// Lots of one product, serial numbers of another.
    NameLotsOrSerials,
    /// That it gave an order up by itself.
    SayThatItGaveUp,
    /// Ship something else than was asked.
    Substitute,
    /// Slow us down.
    Throttle,
    /// Let a sign-in end while work goes on.
    EndASignIn,
    /// Give a whole answer that makes no sense to a change.
    AnswerNonsense,
    /// Call us, and prove each call.
    Call,
    /// Call us at an address that nobody else knows, and prove nothing: a call is a hint to look.
    CallAtASecretAddress,
    /// Be asked what it has under a key.
    BeAskedWhatItHas,
    /// List what it was asked for, to whoever does not know the keys.
    ListWhatItHas,
}

/// What the people in the warehouse do with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// All of it leaves, in one box.
    All,
    /// All of it, in two boxes.
    TwoBoxes,
    /// A part leaves; the rest will follow.
    Part,
    /// The rest leaves.
    Rest,
    /// A part leaves, and nothing else ever.
    Short,
    /// Something else leaves in place of the first line.
    Substitute,
    /// Nothing will leave: they gave it up.
    GiveUp,
}

/// What happens to the next change on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It takes effect, and no answer comes.
    LostAfter,
    /// It takes none, and no answer comes.
    LostBefore,
    /// *Too many requests.*
    Throttled,
    /// The sign-in has ended.
    SignInEnded,
    /// It takes effect, and the answer makes no sense.
    Nonsense,
}

/// A connector with its simulator.
#[async_trait]
pub trait Site: Send + Sync {
    /// The connector.
    fn warehouse(&self) -> &Arc<dyn Warehouse>;

    /// Its clock.
    fn clock(&self) -> &Arc<HandClock>;

    /// The warehouse takes in what was sent, and ships nothing yet.
    fn take_in(&self);

    /// The people there do this with the order under a key.
    fn work(&self, key: &str, does: Does);

    /// They try to ship whatever they may, and say so of what left.
    fn work_off(&self);

    /// Somebody there touches the order under a key without shipping anything.
    fn touch(&self, key: &str);

    /// Every order it ever took, by the simulator's own ledger.
    fn orders(&self) -> Vec<WarehouseOrder>;

    /// How many of its messages were acknowledged, where it sends any.
    fn acknowledged(&self) -> usize {
        0
    }

    /// Sets what lies on a shelf.
    fn shelve(&self, sku: &str, units: Decimal);

    /// It counts and reports.
    fn count(&self);

    /// Whether a SKU that its report does not name has none.
    fn reports_are_whole(&self) -> bool {
        false
    }

    /// What there is by SKU: available, on the shelf.
    fn figures(&self) -> BTreeMap<String, (Decimal, Decimal)>;

    /// The next change of this kind meets trouble.
    fn trouble(&self, trouble: Trouble, kind: EffectKind);

    /// The next reading of shipments meets something that makes no sense.
    fn spoil(&self);

    /// From now on reports come twice, and in another order, as far as it can.
    fn disorder(&self);

    /// Every order there leaves whole, and these are the calls that it makes: at least one for each, where it calls.
    async fn calls(&self) -> Vec<WebhookCall>;
}
