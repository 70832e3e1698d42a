use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use proptest::prelude::*;
use url::Url;

use super::{Guard, Network, Range, Refused, Resolver, is_public};

fn closed() -> Guard {
    Guard::new(&[], &[], false)
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Both ends and a middle of every range of IPv4 that is not public.
const NOT_PUBLIC: [&str; 45] = [
    "0.0.0.0",
    "0.0.0.1",
    "0.255.255.255",
    "10.0.0.0",
    "10.1.2.3",
    "10.255.255.255",
    "100.64.0.0",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.0.0.53",
    "127.255.255.255",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.255.255",
    "172.16.0.0",
    "172.17.0.1",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.192",
    "192.0.0.255",
    "192.0.2.0",
    "192.0.2.255",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.1.1",
    "192.168.255.255",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.1",
    "198.51.100.255",
    "203.0.113.0",
    "203.0.113.255",
    "224.0.0.0",
    "224.0.0.251",
    "239.255.255.250",
    "239.255.255.255",
    "240.0.0.0",
    "240.0.0.1",
    "250.1.2.3",
    "254.0.0.1",
    "255.0.0.1",
    "255.255.255.254",
    "255.255.255.255",
];

/// One past either end of those ranges.
const PUBLIC: [&str; 24] = [
    "1.0.0.0",
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "93.184.215.14",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
];

const NOT_PUBLIC_V6: [&str; 36] = [
    "::",
    "::1",
    "::2",
    "::127.0.0.1",
    "::ffff:0:0",
    "::ffff:1.1.1.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::",
    "64:ff9b::1.1.1.1",
    "64:ff9b:1::1",
    "64:ff9b::a9fe:a9fe",
    "100::1",
    "1fff:ffff::1",
    "2001::1",
    "2001:0:4136:e378::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:1ff::1",
    "2001:db8::1",
    "2001:db8:ffff::1",
    "2002::1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fdff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
];

const PUBLIC_V6: [&str; 8] = [
    "2000::1",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2001:db9::1",
    "2003::1",
    "2606:4700::1111",
    "3fff:1000::1",
    "3ffe::1",
];

/// Every way to write an IPv4 address that a parser of addresses understands, and every way to carry it inside of another.
fn spellings(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let whole = address.to_bits();
    vec![
        format!("{address}"),
        format!("{address}."),
        format!("{whole}"),
        format!("0x{whole:x}"),
        format!("0{whole:o}"),
        format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a}.{}", whole & 0x00ff_ffff),
        format!("{a}%2e{b}%2e{c}%2e{d}"),
        format!("[::ffff:{address}]"),
        format!("[::{address}]"),
        format!("[64:ff9b::{address}]"),
        format!("[2002:{:x}:{:x}::1]", whole >> 16, whole & 0xffff),
    ]
}

#[test]
fn no_spelling_of_an_address_that_is_not_public_is_dialled() {
    let mut tried = 0;
    for address in NOT_PUBLIC {
        for host in spellings(address.parse().unwrap()) {
            let address = url(&format!("https://{host}/x"));
            assert!(matches!(closed().range(&address), Err(Refused::NotPublic(_))), "{host}");
            tried += 1;
        }
    }
    for address in NOT_PUBLIC_V6 {
        assert!(
            matches!(closed().range(&url(&format!("https://[{address}]/"))), Err(Refused::NotPublic(_))),
            "{address}"
        );
        assert!(!is_public(address.parse().unwrap()), "{address}");
        tried += 1;
    }
    assert!(tried >= 600, "{tried}");
}

#[test]
fn public_addresses_are_dialled() {
    for address in PUBLIC {
        assert_eq!(closed().range(&url(&format!("https://{address}/"))), Ok(Range::World), "{address}");
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
    for address in PUBLIC_V6 {
        assert_eq!(closed().range(&url(&format!("https://[{address}]:8443/"))), Ok(Range::World), "{address}");
    }
    assert_eq!(closed().range(&url("https://wms.example.com/api")), Ok(Range::World));
}

#[test]
fn scheme_port_and_user_info_are_judged_before_anything_is_asked() {
    for (address, expected) in [
        ("ftp://wms.example/", Refused::Scheme),
        ("file:///etc/passwd", Refused::Scheme),
        ("gopher://127.0.0.1:6379/_x", Refused::Scheme),
        ("data:text/plain,x", Refused::Scheme),
        ("https://user@wms.example/", Refused::UserInfo),
        ("https://user:password@wms.example/", Refused::UserInfo),
        ("https://wms.example@169.254.169.254/", Refused::UserInfo),
        ("https://wms.example:22/", Refused::Port(22)),
        ("https://wms.example:80/", Refused::Port(80)),
        ("https://wms.example:6379/", Refused::Port(6379)),
        ("http://wms.example:443/", Refused::Port(443)),
        ("http://93.184.215.14/", Refused::Plain("93.184.215.14".to_owned())),
    ] {
        assert_eq!(closed().range(&url(address)), Err(expected), "{address}");
    }
    // What a name leads to is judged when it is resolved; in the clear it may not lead to the world.
    assert_eq!(closed().range(&url("http://wms.example/")), Ok(Range::Listed));
    let wider = Guard::new(&[], &[9443], false);
    assert_eq!(wider.range(&url("https://wms.example:9443/")), Ok(Range::World));
}

#[test]
fn the_operator_opens_networks_and_this_machine_one_by_one() {
    let networks = ["10.1.0.0/16", "192.168.7.9", "fd00:1::/32"].map(|text| text.parse::<Network>().unwrap());
    let guard = Guard::new(&networks, &[8069], false);
    for (address, expected) in [
        ("https://10.1.255.255/", Ok(Range::World)),
        ("http://10.1.2.3/", Ok(Range::Listed)),
        ("http://10.1.2.3:8069/", Ok(Range::Listed)),
        ("http://10.1.2.3:6379/", Err(Refused::Port(6379))),
        ("https://192.168.7.9/", Ok(Range::World)),
        ("https://[fd00:1:2::3]/", Ok(Range::World)),
        ("https://10.2.0.0/", Err(Refused::NotPublic("10.2.0.0".to_owned()))),
        ("https://192.168.7.8/", Err(Refused::NotPublic("192.168.7.8".to_owned()))),
        ("https://[fd00:2::1]/", Err(Refused::NotPublic("fd00:2::1".to_owned()))),
        ("http://127.0.0.1/", Err(Refused::Plain("127.0.0.1".to_owned()))),
    ] {
        assert_eq!(guard.range(&url(address)), expected, "{address}");
    }
    let machine = Guard::stand_ins();
    assert_eq!(machine.range(&url("http://127.0.0.1:40123/")), Ok(Range::Machine));
    assert_eq!(machine.range(&url("http://10.1.2.3:40123/")), Err(Refused::Port(40123)));
    assert_eq!(machine.range(&url("https://10.1.2.3/")), Err(Refused::NotPublic("10.1.2.3".to_owned())));
    for wrong in ["", "10.0.0.0/33", "fd00::/129", "10.0.0", "10.0.0.0/x", "example.com"] {
        assert!(wrong.parse::<Network>().is_err(), "{wrong}");
    }
}

/// Answers with the next of its answers, and with the last one from then on.
struct Script {
    answers: Vec<Vec<&'static str>>,
    asked: AtomicUsize,
}

#[async_trait::async_trait]
impl Resolver for Script {
    async fn resolve(&self, _name: &str) -> std::io::Result<Vec<IpAddr>> {
        let turn = self.asked.fetch_add(1, SeqCst).min(self.answers.len() - 1);
        Ok(self.answers[turn].iter().map(|address| address.parse().unwrap()).collect())
    }
}

#[tokio::test]
async fn one_address_that_is_not_public_refuses_the_name() {
    for (answers, fine) in [
        (vec!["93.184.215.14", "2606:4700::1111"], true),
        (vec!["93.184.215.14", "127.0.0.1"], false),
        (vec!["10.0.0.1", "93.184.215.14"], false),
        (vec!["93.184.215.14", "::ffff:93.184.215.14"], false),
        (vec![], false),
    ] {
        let script = Arc::new(Script { answers: vec![answers.clone()], asked: AtomicUsize::new(0) });
        let guard = closed().resolving(script);
        assert_eq!(guard.sftp("sftp.example", 22).await.is_ok(), fine, "{answers:?}");
        assert_eq!(guard.checked(Range::World, "wms.example", 443).await.is_ok(), fine, "{answers:?}");
        assert!(guard.checked(Range::Listed, "wms.example", 80).await.is_err(), "in the clear: {answers:?}");
    }
}

#[tokio::test]
async fn sftp_servers_are_judged_likewise() {
    for host in ["127.0.0.1", "::1", "[::1]", "169.254.169.254", "localhost"] {
        assert!(matches!(closed().sftp(host, 22).await, Err(Refused::NotPublic(_))), "{host}");
    }
    assert_eq!(closed().sftp("93.184.215.14", 25).await, Err(Refused::Port(25)));
    assert_eq!(closed().sftp("93.184.215.14", 2222).await.unwrap(), ["93.184.215.14:2222".parse().unwrap()]);
    assert!(Guard::stand_ins().sftp("127.0.0.1", 40022).await.is_ok());
    // What a name leads to is for the log only.
    let script = Arc::new(Script { answers: vec![vec!["10.9.8.7"]], asked: AtomicUsize::new(0) });
    let refused = closed().resolving(script).sftp("sftp.example", 22).await.unwrap_err().to_string();
    assert!(!refused.contains("10.9.8.7"), "{refused}");
}

proptest! {
    /// A network holds what agrees with it in its bits, and nothing else.
    #[test]
    fn networks_hold_what_begins_like_them(base: u32, other: u32, bits in 0_u32..=32) {
        let network: Network = format!("{}/{bits}", Ipv4Addr::from_bits(base)).parse().unwrap();
        let same = (0..bits).all(|bit| (base ^ other) & (1 << (31 - bit)) == 0);
        prop_assert_eq!(network.contains(IpAddr::V4(Ipv4Addr::from_bits(other))), same);
    }
}
