//! Writes real-looking order documents into a folder, one JSON file each, for measuring how small they can be kept.
//!
//! `cargo run -p millrace --example kept_payloads -- FOLDER [COUNT]`; see `bench/kept-payloads.sh`.

use std::{error::Error, io::Write as _, path::PathBuf, time::Instant};

use connect::{Address, Allocation, BundleRole, LineStock, Money, Order, OrderLine, Progress};
use flate2::{Compression, write::ZlibEncoder};
use jiff::{SignedDuration, Timestamp};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rust_decimal::Decimal;

const FIRST: [&str; 12] =
    ["Ada", "Grace", "Linus", "Mary", "Ahmed", "Chloé", "Jürgen", "Wei", "Priya", "Tom", "Olga", "Seán"];
const LAST: [&str; 12] = [
    "Lovelace", "Hopper", "Smith", "O'Neill", "Müller", "García", "Chen", "Patel", "Ivanova", "Brown", "Nguyen",
    "Jones",
];
const STREETS: [&str; 10] = [
    "High Street",
    "Station Road",
    "Main St",
    "Church Lane",
    "Victoria Road",
    "Park Avenue",
    "Mill Lane",
    "King's Road",
    "Elm Drive",
    "Queensway",
];
const TOWNS: [(&str, &str, &str); 8] = [
    ("London", "Greater London", "GB"),
    ("Leeds", "West Yorkshire", "GB"),
    ("Austin", "TX", "US"),
    ("Portland", "OR", "US"),
    ("Köln", "Nordrhein-Westfalen", "DE"),
    ("Lyon", "Rhône", "FR"),
    ("Dublin", "Dublin", "IE"),
    ("Brooklyn", "NY", "US"),
];
const GOODS: [&str; 10] = [
    "Organic cotton T-shirt",
    "Ceramic mug 350 ml",
    "Trail running shoe",
    "Stainless bottle",
    "Notebook A5 dotted",
    "Wool scarf",
    "LED desk lamp",
    "Bamboo toothbrush (4)",
    "Yoga mat 6 mm",
    "Coffee beans 1 kg",
];
const WORDS: [&str; 6] = ["Navy", "Black", "Large", "Small", "Limited", "Recycled"];

fn pick<T: Copy>(random: &mut StdRng, from: &[T], otherwise: T) -> T {
    from.get(random.random_range(0..from.len())).copied().unwrap_or(otherwise)
}

fn address(random: &mut StdRng) -> Address {
    let (first, last) = (pick(random, &FIRST, "Ada"), pick(random, &LAST, "Smith"));
    let (city, state, country) = pick(random, &TOWNS, ("London", "", "GB"));
    let number = random.random_range(1..300);
    Address {
        name: format!("{first} {last}"),
        company: if random.random_bool(0.2) { format!("{last} & Co") } else { String::new() },
        line1: format!("{number} {}", pick(random, &STREETS, "High Street")),
        line2: if random.random_bool(0.3) { format!("Flat {}", random.random_range(1..40)) } else { String::new() },
        city: city.to_owned(),
        state: state.to_owned(),
        postcode: format!("{:05}", random.random_range(1000..99_999)),
        country: country.to_owned(),
        phone: format!("+44 7{:09}", random.random_range(0..999_999_999)),
        email: format!("{}.{}{number}@example.com", first.to_lowercase(), last.to_lowercase()),
    }
}

fn order(random: &mut StdRng, order_id: i64) -> Order {
    let start: Timestamp = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 56);
    let placed_at = start + SignedDuration::from_secs(random.random_range(0..31_000_000));
    let deliver_to = address(random);
    let bill_to = if random.random_bool(0.8) { deliver_to.clone() } else { address(random) };
    // Most orders of a shop have one or two lines, some have many.
    let lines = 1 + random.random_range(0..4) * random.random_range(0..4);
    let lines = (0..lines)
        .map(|place| {
            let product_id = random.random_range(1000..3000);
            OrderLine {
                row_id: order_id * 7 + place,
                product_id: Some(product_id),
                sku: format!("{}-{product_id}", pick(random, &["TS", "MUG", "SHOE", "BTL"], "TS")),
                name: format!("{}, {}", pick(random, &GOODS, "Mug"), pick(random, &WORDS, "Black")),
                quantity: Decimal::from(random.random_range(1..4)),
                unit_price: Some(Money {
                    currency: "GBP".to_owned(),
                    amount: Decimal::new(random.random_range(199..9_999), 2),
                }),
                stock: LineStock::Stocked,
                bundle: BundleRole::None,
                sequence: place * 10,
            }
        })
        .collect();
    Order {
        order_id,
        parent_id: None,
        version: random.random_range(1..6),
        reference: format!("#{}", random.random_range(10_000..99_999)),
        status_id: 3,
        warehouse_id: Some(2),
        channel_id: Some(random.random_range(1..4)),
        ship_method_id: Some(random.random_range(1..12)),
        placed_at,
        updated_at: Some(placed_at + SignedDuration::from_secs(90)),
        deliver_on: None,
        notes: String::new(),
        is_sale: true,
        allocation: Allocation::All,
        fulfilment: Progress::None,
        shipping: Progress::None,
        deliver_to,
        bill_to,
        lines,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("which folder?")?);
    let count = arguments.next().map_or(Ok(1000), |count| count.parse())?;
    std::fs::create_dir_all(&folder)?;
    let mut random = StdRng::seed_from_u64(1);
    let mut documents = Vec::with_capacity(count);
    for order_id in (400_000..).take(count) {
        documents.push(serde_json::to_vec(&order(&mut random, order_id))?);
    }
    for (number, document) in documents.iter().enumerate() {
        std::fs::write(folder.join(format!("{number:05}.json")), document)?;
    }
    let plain: usize = documents.iter().map(Vec::len).sum();
    let mut out = std::io::stdout();
    writeln!(out, "| flate2, as the program keeps it | bytes per order | µs per order |")?;
    writeln!(out, "|---|---|---|")?;
    writeln!(out, "| plain JSON | {} | |", plain / count)?;
    for level in [1, 6, 9] {
        let began = Instant::now();
        let mut packed = 0;
        for document in &documents {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
            encoder.write_all(document)?;
            packed += 1 + encoder.finish()?.len();
        }
        let took = began.elapsed().as_micros() / u128::try_from(count)?;
        writeln!(out, "| zlib, level {level} | {} | {took} |", packed / count)?;
    }
    Ok(())
}
