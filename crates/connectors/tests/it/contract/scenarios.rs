//! What happens, as data.

use super::harness::{Can, Does};

/// One step of a scenario. A key names an order of two lines: 5 SKU-A and 3 SKU-LOT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The order is put there, and let go where orders are held.
    Order(&'static str),
    /// The order is put there, and not let go.
    Put(&'static str),
    /// The same effect comes once more, as after a crash: it is found, and where a repeat is safe it is even sent.
    SendAgain(&'static str),
    /// A hub without memory plans it again, on another day, and looks: it is there, and equal.
    LookAgain(&'static str),
    /// The same with other content: it is seen to differ.
    LookChanged(&'static str),
    /// It is cancelled, where that can be asked for, before anything left: the warehouse says yes, or is told and gives it up.
    Cancel(&'static str),
    /// It is cancelled after it left: that is too late, and nothing else comes of it.
    CancelLate(&'static str),
    /// The people there do something.
    Work(&'static str, Does),
    /// Shipments are read, and must be what left by the ledger: this many so far of the order, the last one final or not.
    Read(&'static str, usize, Final),
    /// This many boxes left, by what is read.
    Boxes(&'static str, usize),
    /// Every lot and serial number of SKU-LOT is read.
    Tracked(&'static str),
    /// The lot of SKU-LOT is read, and every serial number of SKU-A.
    TrackedApart(&'static str),
    /// What left in place of something is not passed off for what was asked: read under its own SKU, or held for a person.
    Substituted(&'static str),
    /// It is told that nothing will leave.
    GivenUp(&'static str),
    /// What was read before is read again, and is the same.
    ReadAgain,
    /// There is exactly one order under the key, alive and with what was asked.
    Once(&'static str),
    /// Everything there is counted, and read.
    Count,
    /// Goods come in: so many lie on the shelf now.
    Shelve(&'static str, u32),
    /// Reports come twice and out of order from here on.
    Disorder,
    /// The next reading meets nonsense: nothing comes of it, and the one after goes on.
    Nonsense,
    /// Everything leaves, and a call comes: it is understood, twice the same; forged it is refused, where calls are proven.
    Call,
    /// Everything leaves, and the calls come twice and out of order: each is known by its id.
    CallsInDisorder,
}

/// Whether nothing more is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Final {
    /// Whatever it says: everything has left.
    Either,
    /// It must not be said.
    No,
    /// It is said where the system can.
    Yes,
}

/// One scenario.
#[derive(Debug)]
pub struct Scenario {
    /// What it is about.
    pub name: &'static str,
    /// What the system must be able to express for it to make sense.
    pub needs: &'static [Can],
    /// What happens, in order.
    pub steps: &'static [Step],
}

use Step::{
    Boxes, Call, CallsInDisorder, Cancel, CancelLate, Count, Disorder, GivenUp, LookAgain, LookChanged, Nonsense, Once,
    Order, Put, Read, ReadAgain, SendAgain, Shelve, Substituted, Tracked, TrackedApart, Work,
};

const A: &str = "BPacme-O1";
const B: &str = "BPacme-O2";
const C: &str = "BPacme-O3";

const CALLED: &[Step] = &[
    Order(A),
    Order(B),
    Order(C),
    CallsInDisorder,
    Read(A, 1, Final::Either),
    Read(B, 1, Final::Either),
    Read(C, 1, Final::Either),
    ReadAgain,
];

const fn of(name: &'static str, needs: &'static [Can], steps: &'static [Step]) -> Scenario {
    Scenario { name, needs, steps }
}

/// Every scenario. Unknown outcomes, throttles and ended sign-ins are played for every effect that is declared: see
/// `run::troubles`.
pub static SCENARIOS: &[Scenario] = &[
    of("submit", &[], &[Order(A), Once(A)]),
    of("submit, sent twice", &[], &[Put(A), SendAgain(A), Once(A), LookAgain(A), Once(A)]),
    of("two orders are two", &[], &[Order(A), Order(B), Once(A), Once(B), LookAgain(B)]),
    of("changed", &[], &[Order(A), LookChanged(A), Once(A)]),
    of("cancelled before it starts", &[], &[Put(A), Put(B), Cancel(A), Once(B)]),
    of("cancelled too late", &[], &[Order(A), Work(A, Does::All), CancelLate(A), Read(A, 1, Final::Either), Once(A)]),
    of("all of it", &[], &[Order(A), Work(A, Does::All), Read(A, 1, Final::Either), Boxes(A, 1), ReadAgain]),
    of("several boxes", &[], &[Order(A), Work(A, Does::TwoBoxes), Read(A, 1, Final::Either), Boxes(A, 2)]),
    of(
        "a part, and the rest",
        &[],
        &[
            Order(A),
            Work(A, Does::Part),
            Read(A, 1, Final::No),
            Work(A, Does::Rest),
            Read(A, 2, Final::Either),
            ReadAgain,
        ],
    ),
    of("a part, and nothing more", &[], &[Order(A), Work(A, Does::Short), Read(A, 1, Final::Yes), ReadAgain]),
    of(
        "lots and serial numbers",
        &[Can::NameLotsAndSerials],
        &[Order(A), Work(A, Does::All), Read(A, 1, Final::Either), Tracked(A)],
    ),
    of(
        "lots, or serial numbers",
        &[Can::NameLotsOrSerials],
        &[Order(A), Work(A, Does::All), Read(A, 1, Final::Either), TrackedApart(A)],
    ),
    of("substituted", &[Can::Substitute], &[Order(A), Work(A, Does::Substitute), Substituted(A)]),
    of("given up there", &[Can::SayThatItGaveUp], &[Order(A), Work(A, Does::GiveUp), GivenUp(A)]),
    of("stock, all of it and changed", &[], &[Count, Shelve("SKU-A", 173), Count, Shelve("SKU-LOT", 140), Count]),
    of("stock beside open orders", &[], &[Order(A), Count, Work(A, Does::All), Count]),
    of(
        "twice and out of order",
        &[],
        &[
            Order(A),
            Order(B),
            Order(C),
            Disorder,
            Work(A, Does::All),
            Work(B, Does::TwoBoxes),
            Work(C, Does::All),
            Read(A, 1, Final::Either),
            Read(B, 1, Final::Either),
            Read(C, 1, Final::Either),
            ReadAgain,
        ],
    ),
    of("nonsense", &[], &[Order(A), Nonsense, Work(A, Does::All), Read(A, 1, Final::Either)]),
    of("calls", &[Can::Call], &[Order(A), Call]),
    of("calls that prove nothing", &[Can::CallAtASecretAddress], &[Order(A), Call]),
    of("calls twice and out of order", &[Can::Call], CALLED),
    of("calls that prove nothing, twice and out of order", &[Can::CallAtASecretAddress], CALLED),
];
