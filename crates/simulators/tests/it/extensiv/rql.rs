//! The filter language.

use std::collections::BTreeMap;

use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use simulators::extensiv::{Field, Filter, PoNumSearch, Row, RqlError, StatusFilter, Switches};

use super::client::{Client, encode, order};

struct Sample(BTreeMap<&'static str, Field>);

impl Row for Sample {
    fn field(&self, path: &str) -> Option<Field> {
        self.0.get(path).cloned()
    }
}

fn sample() -> Sample {
    Sample(BTreeMap::from([
        ("name", Field::Text("Anna (B*C)=1,2;3!%".to_owned())),
        ("plain", Field::Text("BPacme-O100001".to_owned())),
        ("empty", Field::Text(String::new())),
        ("count", Field::Number(12.into())),
        ("closed", Field::Bool(true)),
        ("date", Field::Time("2026-11-01T10:00:00".parse().unwrap())),
        ("none", Field::Null),
        ("skus", Field::Many(vec![Field::Text("A1".to_owned()), Field::Text("B2".to_owned())])),
    ]))
}

fn holds(rql: &str) -> Result<bool, RqlError> {
    Filter::parse(rql).and_then(|filter| filter.matches(&sample()))
}

#[test]
fn operators() {
    let cases = [
        ("plain==BPacme-O100001", true),
        ("plain==bpACME-o100001", true),
        ("PLAIN==BPacme-O100001", true),
        ("plain!=BPacme-O100001", false),
        ("plain==BP*", true),
        ("plain==*001", true),
        ("plain==*acme*", true),
        ("plain==acme*", false),
        ("plain!=BP*", false),
        ("count==12", true),
        ("count==12.0", true),
        ("count=gt=12", false),
        ("count=ge=12", true),
        ("count=lt=12.5", true),
        ("count=le=11", false),
        ("count=in=(1,12,3)", true),
        ("count=out=(1,12,3)", false),
        ("plain=in=(x,BPacme-O100001)", true),
        ("closed==true", true),
        ("closed==False", false),
        ("date=ge=2026-11-01T00:00:00", true),
        ("date=gt=2026-11-01T10:00:00", false),
        ("date=lt=2026-11-02", true),
        ("none==x", false),
        ("none!=x", true),
        ("none=gt=1", false),
        ("none=hv=false", true),
        ("empty=hv=true", false),
        ("count=hv=true", true),
        ("skus==B2", true),
        ("skus==C3", false),
        // And binds tighter than or.
        ("count==1;closed==true,plain==BP*", true),
        ("count==1;(closed==true,plain==BP*)", false),
        ("((count==12))", true),
        // Escaped once more than the query itself: operators inside a value.
        ("name==Anna %28B%2AC%29%3D1%2C2%3B3%21%25", true),
        ("name==Anna %28B%2A*", true),
        ("plain==BPacme%2A", false),
    ];
    for (rql, expected) in cases {
        assert_eq!(holds(rql), Ok(expected), "{rql}");
    }
}

#[test]
fn refusals() {
    let not_parsable = [
        "",
        "plain",
        "plain=",
        "plain==",
        "plain=~x",
        "plain=foo=x",
        "==x",
        "(plain==x",
        "plain==x)",
        "plain==x;",
        ",plain==x",
        "plain==a*b",
        "plain==*",
        "plain==a(b",
        "plain==a=b",
        "plain==a!b",
        "plain==50%",
        "plain==%zz",
        "plain==%ff",
        "count=in=1",
        "count=in=()",
        "count=in=(1",
        "count=hv=maybe",
        "count=gt=x",
        "count==1*",
        "closed==1",
        "date=ge=today",
        "date=ge=2026-11-01T00:00:00Z",
        "count=gt=*",
    ];
    for rql in not_parsable {
        assert!(matches!(holds(rql), Err(RqlError::NotParsable(_))), "{rql}: {:?}", holds(rql));
    }
    assert_eq!(holds("nosuch==1"), Err(RqlError::UnknownProperty("nosuch".to_owned())));
    assert_eq!(holds("count==99;nosuch==1"), Err(RqlError::UnknownProperty("nosuch".to_owned())));
    let deep = format!("{}count==1{}", "(".repeat(5000), ")".repeat(5000));
    assert!(matches!(holds(&deep), Err(RqlError::NotParsable(_))));
}

/// Escapes a value the way the vendor documents it; the query as a whole is encoded on top of that.
fn escape(value: &str) -> String {
    value
        .chars()
        .map(|c| if "%!()*=,;".contains(c) { format!("%{:02X}", u32::from(c)) } else { c.to_string() })
        .collect()
}

#[derive(Clone, Debug)]
enum Expr {
    Test(bool),
    And(Vec<Expr>),
    Or(Vec<Expr>),
}

impl Expr {
    fn text(&self) -> String {
        let join = |parts: &[Expr], by: &str| {
            parts.iter().map(|part| format!("({})", part.text())).collect::<Vec<_>>().join(by)
        };
        match self {
            Self::Test(true) => "count==12".to_owned(),
            Self::Test(false) => "closed!=true".to_owned(),
            Self::And(parts) => join(parts, ";"),
            Self::Or(parts) => join(parts, ","),
        }
    }

    fn value(&self) -> bool {
        match self {
            Self::Test(value) => *value,
            Self::And(parts) => parts.iter().all(Self::value),
            Self::Or(parts) => parts.iter().any(Self::value),
        }
    }
}

fn expressions() -> impl Strategy<Value = Expr> {
    any::<bool>().prop_map(Expr::Test).prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Expr::And),
            prop::collection::vec(inner, 1..4).prop_map(Expr::Or),
        ]
    })
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    /// Nothing a client sends makes the parser fall over.
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,60}") {
        let _ = holds(&text);
    }

    #[test]
    fn near_misses_are_read_or_refused(parts in prop::collection::vec(
        prop_oneof![Just("count"), Just("=="), Just("=in="), Just("("), Just(")"), Just(";"), Just(","), Just("*"), Just("%2"), Just("1")], 0..12,
    )) {
        let _ = holds(&parts.concat());
    }

    /// A value survives escaping, whatever is in it.
    #[test]
    fn an_escaped_value_finds_itself(value in "[^\\p{Cc}]{1,20}") {
        let row = Sample(BTreeMap::from([("name", Field::Text(value.clone()))]));
        let filter = Filter::parse(&format!("name=={}", escape(&value)));
        prop_assert!(filter.is_ok(), "{value:?}: {filter:?}");
        prop_assert_eq!(filter.and_then(|filter| filter.matches(&row)), Ok(true));
    }

    #[test]
    fn groups_mean_what_they_say(expr in expressions()) {
        prop_assert_eq!(holds(&expr.text()), Ok(expr.value()));
    }
}

#[tokio::test]
async fn orders_are_found_over_the_wire() {
    let client = Client::start(Switches::default()).await;
    let (first, etag) = client.created(&order("BPacme-O1", &[("SKU-A", 1.0)])).await;
    let (second, _) = client.created(&order("BPacme-O1-2", &[("SKU-A", 1.0)])).await;
    let (odd, _) = client.created(&order("50% (off)*", &[("SKU-B", 1.0)])).await;
    assert_eq!(client.find("referenceNum==BPacme-O1").await, [first]);
    assert_eq!(client.find("referenceNum==BPacme-O1*").await, [first, second]);
    assert_eq!(client.find("REFERENCENUM==BPacme-O1;readonly.customeridentifier.id==143").await, [first]);
    assert_eq!(client.find(&format!("referenceNum=={}", escape("50% (off)*"))).await, [odd]);
    assert!(client.find("referenceNum==BPacme-O1;readOnly.customerIdentifier.id==144").await.is_empty());
    assert_eq!(client.find("orderItems.itemIdentifier.sku==SKU-B").await, [odd]);
    assert_eq!(client.find("shipTo.zip==LS1 1AA;externalId==shr_8f3;poNum==PO4500").await.len(), 3);

    // Encoded once only, the value's own operators are taken for the filter's.
    let once = client.get(&format!("/orders?rql={}", encode("referenceNum==50% (off)*"))).await;
    assert_eq!(once.status, 400);
    assert_eq!(once.body["ErrorCode"], "NotParsable");
    assert_eq!(once.body["Parameters"], serde_json::json!(["rql"]));

    client.cancel(first, &etag).await;
    assert_eq!(client.find("readOnly.status==2").await, [first]);
    assert_eq!(client.find("referenceNum==BPacme-O1").await, [first], "cancelled orders are found");
}

#[tokio::test]
async fn a_status_filter_is_reliable_for_cancelled_only() {
    for (switch, closed_under_1) in [(StatusFilter::CancelledOnly, 0), (StatusFilter::Reliable, 1)] {
        let client = Client::start(Switches { status_filter: switch, ..Switches::default() }).await;
        let (id, etag) = client.created(&order("R1", &[("SKU-A", 1.0)])).await;
        client.complete(id, &etag).await;
        client.handle().ship(id, &simulators::extensiv::Dispatch::full()).unwrap();
        assert_eq!(client.find("readOnly.isClosed==true").await, [id]);
        assert_eq!(client.find("status==1").await.len(), closed_under_1);
    }
}

#[tokio::test]
async fn some_warehouses_cannot_search_the_purchase_order() {
    let client = Client::start(Switches { po_num_search: PoNumSearch::Refused, ..Switches::default() }).await;
    client.created(&order("R1", &[("SKU-A", 1.0)])).await;
    assert_eq!(client.get("/orders?rql=poNum%3D%3DPO4500").await.status, 400);
}
