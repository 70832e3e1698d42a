//! Files with more in them than one document: something for both channels, or interchanges of which not every one may be used.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use connect::{ConnectorError, FeedCursor, Known, Letters, Marks, ShipmentPage, StockPage};
use connectors::x12::Verdict;

use super::{
    exchange::{Exchange, answered, document},
    validator::refused,
};

/// What a hub keeps of letters.
#[derive(Default)]
struct Kept(Mutex<BTreeMap<String, Known>>);

#[async_trait::async_trait]
impl Marks for Kept {
    async fn known(&self, names: &[String]) -> Result<BTreeMap<String, Known>, ConnectorError> {
        let kept = self.0.lock().unwrap();
        Ok(names.iter().filter_map(|name| Some((name.clone(), kept.get(name)?.clone()))).collect())
    }

    async fn highest(&self, series: &str) -> Result<Option<(u64, Known)>, ConnectorError> {
        let kept = self.0.lock().unwrap();
        let number = |name: &str| name.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        let numbers = kept.iter().filter_map(|(name, known)| Some((number(name)?, known.clone())));
        Ok(numbers.max_by_key(|(number, _)| *number))
    }
}

/// A connection that keeps what it reads, step by step as the hub does, so that it can stop between two of them.
struct Keeping {
    exchange: Exchange,
    kept: Arc<Kept>,
}

impl Keeping {
    fn new(settings: &[(&str, &str)]) -> Self {
        let (mut exchange, kept) = (Exchange::by_folder(settings), Arc::new(Kept::default()));
        exchange.remember(Arc::clone(&kept) as Arc<dyn Marks>);
        Self { exchange, kept }
    }

    fn keep(&self, letters: &Letters) {
        let mut kept = self.kept.0.lock().unwrap();
        for mark in &letters.marks {
            let known =
                Known { content_hash: mark.content_hash.clone(), at: self.exchange.now(), written: mark.written };
            kept.insert(mark.name.clone(), known);
        }
    }

    async fn keep_shipments(&self, page: &ShipmentPage) {
        self.keep(&page.letters);
        self.exchange.connector.acknowledge(&page.taken, &page.rejected).await.unwrap();
    }

    async fn keep_stock(&self, page: &StockPage) {
        self.keep(&page.letters);
        self.exchange.connector.acknowledge(&page.taken, &page.rejected).await.unwrap();
    }

    /// All that both channels find now.
    async fn read(&self) -> (ShipmentPage, StockPage) {
        let page = self.exchange.shipments().await;
        self.keep_shipments(&page).await;
        let stock = self.exchange.stock().await;
        self.keep_stock(&stock).await;
        (page, stock)
    }

    fn lies(&self, path: &str) -> bool {
        self.exchange.root.join("out").join(path).exists()
    }
}

/// The groups of a document.
fn groups(text: &str) -> String {
    text[text.find("GS*").unwrap()..text.find("IEA*").unwrap()].to_owned()
}

/// An acknowledgement, a shipping advice and a count, as one interchange and as three.
fn mixed() -> [String; 2] {
    let all = ["997_accept", "945", "846"].map(|name| document(&format!("reference/{name}.edi")));
    let head = all[1].split("GS*").next().unwrap().to_owned();
    let inside: String = all.iter().map(|text| groups(text)).collect();
    [format!("{head}{inside}IEA*3*000005001~\n"), all.concat()]
}

/// What letters are known by: read twice they are the same.
fn said_of(letters: &Letters) -> (Vec<&str>, Vec<&str>, usize) {
    let marks = letters.marks.iter().map(|mark| mark.name.as_str()).collect();
    (marks, letters.answers.iter().map(|draft| draft.key.as_str()).collect(), letters.receipts.len())
}

/// A partner may write all it has to say into one file (x12.md §2). What left is taken in first, then the count; a crash between
/// any two steps neither loses nor doubles either.
#[tokio::test]
async fn a_file_with_shipments_and_stock_is_for_both_channels() {
    for content in mixed() {
        let hub = Keeping::new(&[]);
        let exchange = &hub.exchange;
        exchange.put("all.edi", &content);
        // Until it is known what left, the count is not used.
        let early = exchange.stock().await;
        assert!(early.feeds.is_empty() && early.taken.is_empty() && early.rejected.is_empty(), "{early:?}");
        let read = exchange.shipments().await;
        assert_eq!((read.shipments.len(), read.letters.receipts.len(), read.taken.len()), (1, 1, 1), "{read:?}");
        assert_eq!(read.rejected, []);
        // Nothing was kept: it is read again, and is the same.
        let again = exchange.shipments().await;
        assert_eq!((&again.shipments, said_of(&again.letters)), (&read.shipments, said_of(&read.letters)));
        assert!(exchange.stock().await.feeds.is_empty());
        hub.keep_shipments(&read).await;
        assert!(hub.lies("all.edi"), "the other channel has not taken it");
        let nothing = exchange.shipments().await;
        assert!(nothing.shipments.is_empty() && nothing.taken.is_empty(), "{nothing:?}");
        assert!(nothing.letters.is_empty() && nothing.rejected.is_empty() && !nothing.more, "{nothing:?}");

        let counted = exchange.stock().await;
        let [feed] = counted.feeds.as_slice() else { panic!("{counted:?}") };
        assert_eq!((feed.levels.len(), counted.taken.len(), counted.rejected.len()), (2, 1, 0), "{counted:?}");
        // Kept was the count, and nothing of the file: the hub knows the count by its hash.
        let again = exchange.stock().await;
        assert_eq!(again.feeds[0].content_hash, feed.content_hash);
        assert_eq!(said_of(&again.letters), said_of(&counted.letters));
        // Kept was all of it, and then it was not put away: whichever channel looks next does.
        hub.keep(&counted.letters);
        let left = exchange.shipments().await;
        assert!(left.shipments.is_empty() && left.letters.is_empty() && left.taken.len() == 1, "{left:?}");
        hub.keep_shipments(&left).await;
        assert!(hub.lies("archive/all.edi") && !hub.lies("all.edi"));

        // Each group is acknowledged once, and accepted.
        let answers = read.letters.answers.into_iter().chain(counted.letters.answers).collect();
        let said = answered(exchange, answers, 1).await;
        let mut told: Vec<String> = said.iter().map(|(_, one)| format!("{} {:?}", one.group, one.verdict)).collect();
        told.sort();
        assert_eq!(told, ["IB Accepted", "SW Accepted"]);
        let files: Vec<_> = said.into_iter().map(|(path, _)| path).collect();
        assert_eq!(refused(&files), Vec::<String>::new());

        // The same once more, under whatever name, says nothing new; neither does it in another file.
        exchange.put("copy.edi", &content);
        exchange.put("longer.edi", &format!("{content}{}", document("reference/945_rest.edi")));
        let (page, stock) = hub.read().await;
        let references: Vec<&str> = page.shipments.iter().map(|shipment| shipment.reference.as_str()).collect();
        assert_eq!(
            (references, stock.feeds.len(), stock.rejected.len()),
            (vec!["SHP9003"], 0, 0),
            "{page:?} {stock:?}"
        );
        assert!(hub.lies("archive/copy.edi") && hub.lies("archive/longer.edi"));
    }
}

/// A count in such a file that may not be used is told by itself, and holds neither what left nor other counts; what is wrong with
/// an advice says nothing of the count beside it.
#[tokio::test]
async fn what_is_wrong_with_one_channel_s_part_of_a_file_is_not_the_other_s() {
    for content in mixed() {
        let hub = Keeping::new(&[]);
        hub.exchange.put("all.edi", &content.replace("CTT*2", "CTT*3"));
        let (page, stock) = hub.read().await;
        assert_eq!((page.shipments.len(), page.rejected.len(), stock.feeds.len()), (1, 0, 0), "{page:?} {stock:?}");
        let [aside] = stock.rejected.as_slice() else { panic!("{stock:?}") };
        assert!(aside.reason.contains("CTT01") && aside.input.content.starts_with(b"ST*846"), "{aside:?}");
        assert!(aside.input.name.starts_with("all.edi#00000500"), "{aside:?}");
        assert!(hub.lies("archive/all.edi"));
        let said = answered(&hub.exchange, [page.letters.answers, stock.letters.answers].concat(), 1).await;
        let refused: Vec<&str> = said
            .iter()
            .filter(|(_, one)| one.verdict != Verdict::Accepted)
            .map(|(_, one)| one.group.as_str())
            .collect();
        assert_eq!(refused, ["IB"]);

        let hub = Keeping::new(&[("leniency", "bad_date=hold")]);
        let held = content.replace("SE*24*", "SE*23*").replace("G62*11*20261123~", "G62*11*20261323~");
        hub.exchange.put("all.edi", &held);
        let (page, stock) = hub.read().await;
        assert_eq!((page.shipments.len(), page.rejected.len()), (0, 1), "{page:?}");
        assert!(!page.rejected[0].beside, "a count waits until it is settled");
        assert_eq!((stock.feeds.len(), stock.rejected.len()), (1, 0), "{stock:?}");
        assert!(hub.lies("archive/all.edi"));

        // By agreement nothing of the file is used, whichever part it is wrong in.
        let hub = Keeping::new(&[("leniency", "bad_date=quarantine")]);
        hub.exchange.put("all.edi", &held);
        let (page, stock) = hub.read().await;
        assert!(page.shipments.is_empty() && page.taken.is_empty() && page.rejected.len() == 1, "{page:?}");
        assert!(stock.feeds.is_empty() && stock.rejected.is_empty() && hub.lies("rejected/all.edi"), "{stock:?}");
        let groups: Vec<String> = answered(&hub.exchange, page.letters.answers, 1)
            .await
            .into_iter()
            .map(|(_, one)| format!("{} {:?}", one.group, one.verdict))
            .collect();
        assert_eq!(groups, ["SW Rejected", "IB Rejected"]);
    }
}

/// A TA1 beside a count is heard.
#[tokio::test]
async fn an_acknowledgement_before_a_count_is_heard() {
    let refused = document("reference/ta1_duplicate.edi").replace("*R*025", "*R*009");
    let ta1 = &refused[refused.find("TA1*").unwrap()..refused.find("IEA*").unwrap()];
    let hub = Keeping::new(&[]);
    hub.exchange.put("846.edi", &document("reference/846.edi").replace("GS*", &format!("{ta1}GS*")));
    let (page, stock) = hub.read().await;
    assert_eq!((page.letters.receipts.len(), stock.feeds.len()), (1, 1), "{page:?} {stock:?}");
    assert!(hub.lies("archive/846.edi"));
}

/// A sender, a receiver, a version and a mark as a test are each of one interchange (x12.md §9.2): the others of its file are used.
#[tokio::test]
async fn a_fault_of_one_interchange_is_not_one_of_its_file() {
    let good = document("reference/945.edi");
    let other = |number: u32| {
        let text = document("reference/945_rest.edi").replace("SHP9003", &format!("SHP{number}"));
        text.replace("000005008", &format!("{number:09}"))
    };
    let faulty = [
        ("marked as a test", other(7001).replace("*0*P*>", "*0*T*>")),
        ("SOMEBODY", other(7002).replace("*ZZ*THREEPL ", "*ZZ*SOMEBODY")),
        ("OTHERMERCH", other(7003).replace("*ZZ*BPMERCHANT ", "*ZZ*OTHERMERCH ")),
        ("version", other(7004).replace("*X*004010", "*X*003040")),
    ];
    let hub = Keeping::new(&[]);
    let all: String = faulty.iter().map(|(_, text)| text.as_str()).collect();
    hub.exchange.put("a.edi", &format!("{all}{good}"));
    let page = hub.exchange.shipments().await;
    assert_eq!((page.shipments.len(), page.taken.len(), page.rejected.len()), (1, 1, 4), "{page:?}");
    for ((told, text), aside) in faulty.iter().zip(&page.rejected) {
        assert!(aside.reason.contains(told) && aside.reason.contains("others of its file were"), "{}", aside.reason);
        let number = text.split('*').nth(13).unwrap();
        assert_eq!(aside.input.name, format!("a.edi#{number}"));
        let kept = String::from_utf8_lossy(&aside.input.content).into_owned();
        assert!(kept.starts_with("ISA*") && kept.contains(&format!("SHP{}", &number[5..])), "{kept}");
        assert!(!aside.beside, "it may say what left");
    }
    assert_eq!(page.letters.marks.len(), 1, "their numbers are free for mended ones");
    let said = answered(&hub.exchange, page.letters.answers.clone(), 1).await;
    let told: Vec<String> = said.iter().map(|(_, one)| format!("{:?} {}", one.verdict, one.errors.join(","))).collect();
    assert_eq!(told, ["Rejected reason 2 (version not supported)", "Accepted "], "the others are told nothing");
    hub.keep_shipments(&page).await;
    assert!(hub.lies("archive/a.edi"));
    // Mended, what was set aside is used, and what was used is not used again.
    hub.exchange.put("b.edi", &format!("{}{good}", other(7001)));
    let (page, _) = hub.read().await;
    let references: Vec<&str> = page.shipments.iter().map(|shipment| shipment.reference.as_str()).collect();
    assert_eq!((references, page.rejected.len(), page.letters.answers.len()), (vec!["SHP7001"], 0, 1), "{page:?}");
    // A file with nothing that may be used is set aside whole.
    hub.exchange.put("c.edi", &all);
    let (page, _) = hub.read().await;
    let [aside] = page.rejected.as_slice() else { panic!("{page:?}") };
    assert!(faulty.iter().all(|(told, _)| aside.reason.contains(told)), "{}", aside.reason);
    assert!(page.taken.is_empty() && hub.lies("rejected/c.edi"), "{page:?}");
    // One that was cut off gives nothing at all.
    hub.exchange.put("d.edi", &format!("{}{}", other(7005), &other(7006)[..300]));
    let page = hub.exchange.shipments().await;
    assert!(page.shipments.is_empty() && page.taken.is_empty() && page.more, "{page:?}");
    let cursor = FeedCursor::default();
    assert!(hub.exchange.connector.shipments(&cursor).await.unwrap().shipments.is_empty());
}

/// The same of stock, unless a count is whole and what may not be used may be a part of it: what it lacks would be gone.
#[tokio::test]
async fn a_count_is_not_whole_without_an_interchange_that_may_be_part_of_it() {
    let good = document("reference/846.edi");
    let second = good.replace("5002", "5102").replace("SKU-A", "SKU-C").replace("SKU-LOT", "SKU-D");
    let test = second.replace("*0*P*>", "*0*T*>");
    let version = second.replace("*X*004010", "*X*003040");
    for (full, second, feeds) in
        [("false", &test, 1), ("true", &test, 1), ("false", &version, 1), ("true", &version, 0)]
    {
        let hub = Keeping::new(&[("full_snapshot", full)]);
        hub.exchange.put("846.edi", &format!("{good}{second}"));
        let (_, stock) = hub.read().await;
        assert_eq!((stock.feeds.len(), stock.taken.len(), stock.rejected.len()), (feeds, feeds, 1), "{stock:?}");
        let folder = if feeds == 1 { "archive" } else { "rejected" };
        assert!(hub.lies(&format!("{folder}/846.edi")), "{full}");
        let name = if feeds == 1 { "846.edi#000005102" } else { "846.edi" };
        assert_eq!(stock.rejected[0].input.name, name);
    }
}
