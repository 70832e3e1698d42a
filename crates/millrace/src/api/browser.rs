//! What a browser needs beyond a key: a cookie that only this host gets, and proof that a change comes from our own pages.
//! Pure functions over what a request says.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{Extensions, HeaderMap, HeaderValue, Uri, header},
};
use subtle::ConstantTimeEq as _;

use crate::operate::sign_in::Visitor;

/// The session's cookie. The prefix makes browsers refuse it without `Secure`, with a domain, or from another path.
pub(super) const COOKIE: &str = "__Host-millrace";

/// The same on this machine without TLS, where not every browser takes a `Secure` cookie.
pub(super) const LOCAL_COOKIE: &str = "millrace-local";

/// What a browser holds while somebody signs in at an identity provider.
const FLOW_COOKIE: &str = "__Host-millrace-flow";

/// The same on this machine without TLS.
const LOCAL_FLOW_COOKIE: &str = "millrace-local-flow";

/// Carries what only our own pages know.
pub(super) const CSRF: &str = "millrace-csrf";

/// Headers that a proxy adds.
const PASSED_ON: [&str; 6] =
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"];

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The peer of the connection, where there is one.
fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical())
}

/// Who comes. A proxy on this machine says for whom it asks: the last address of `X-Forwarded-For` is the one it saw itself,
/// and what a stranger put before it is not believed.
pub(super) fn visitor(extensions: &Extensions, headers: &HeaderMap) -> Visitor {
    let peer = peer(extensions);
    let passed_on = headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
    let seen = passed_on.and_then(|list| list.rsplit(',').next()).and_then(|last| last.trim().parse::<IpAddr>().ok());
    let address = match (peer, seen) {
        (Some(peer), Some(seen)) if peer.is_loopback() => Some(seen.to_canonical()),
        (peer, _) => peer,
    };
    Visitor {
        address: address.map_or_else(|| "unknown".to_owned(), |address| address.to_string()),
        agent: text(headers, "user-agent").unwrap_or_default().to_owned(),
    }
}

/// The host that the browser asked for, with its port.
fn host<'r>(headers: &'r HeaderMap, uri: &'r Uri) -> Option<&'r str> {
    text(headers, "host").or_else(|| uri.authority().map(|authority| authority.as_str()))
}

/// The value of the cookie of this name. Two of them are none: one may be somebody else's.
fn one(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(known, _)| *known == name)
        .map(|(_, value)| value.to_owned());
    let token = found.next()?;
    found.next().is_none().then_some(token)
}

/// How the session's cookie looks on this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    /// Over TLS, which a proxy ends; and everywhere that is not surely this machine.
    Secure,
    /// On this machine, without TLS.
    Local,
}

impl Cookie {
    /// Local only where the browser runs on this machine, asks for it by a loopback name, and no proxy is in between.
    pub(super) fn of(extensions: &Extensions, headers: &HeaderMap, uri: &Uri) -> Self {
        let here = peer(extensions).is_some_and(|peer| peer.is_loopback());
        let passed_on = PASSED_ON.iter().any(|name| headers.contains_key(*name));
        let named = host(headers, uri).is_some_and(|host| {
            let name = match host.strip_prefix('[') {
                Some(rest) => rest.split(']').next().unwrap_or_default(),
                None => host.split(':').next().unwrap_or_default(),
            };
            name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        });
        if here && named && !passed_on { Self::Local } else { Self::Secure }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Secure => COOKIE,
            Self::Local => LOCAL_COOKIE,
        }
    }

    /// The token it carries. Two of them are none: one may be somebody else's.
    pub(super) fn token(self, headers: &HeaderMap) -> Option<String> {
        one(headers, self.name())
    }

    fn flow_name(self) -> &'static str {
        match self {
            Self::Secure => FLOW_COOKIE,
            Self::Local => LOCAL_FLOW_COOKIE,
        }
    }

    /// The same of a sign-in at an identity provider.
    pub(super) fn flow_token(self, headers: &HeaderMap) -> Option<String> {
        one(headers, self.flow_name())
    }

    /// The header that sets it. It ends with the browser at the latest; the session's limits are kept here.
    pub(super) fn set(self, token: &str) -> Option<HeaderValue> {
        self.header(self.name(), token, "")
    }

    /// The header that takes it away.
    pub(super) fn clear(self) -> Option<HeaderValue> {
        self.header(self.name(), "", "; Max-Age=0")
    }

    /// The header that sets the cookie of a sign-in at an identity provider, for as long as that may take.
    pub(super) fn set_flow(self, token: &str) -> Option<HeaderValue> {
        self.header(self.flow_name(), token, "; Max-Age=600")
    }

    /// The header that takes it away.
    pub(super) fn clear_flow(self) -> Option<HeaderValue> {
        self.header(self.flow_name(), "", "; Max-Age=0")
    }

    fn header(self, name: &str, value: &str, life: &str) -> Option<HeaderValue> {
        let secure = match self {
            Self::Secure => "; Secure",
            Self::Local => "",
        };
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{life}");
        let mut header = HeaderValue::from_str(&text).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

/// Whether the browser says that another site's page asks. Programs say nothing, and are not meant.
pub(super) fn from_elsewhere(headers: &HeaderMap, uri: &Uri, public: Option<&url::Url>) -> bool {
    match text(headers, "sec-fetch-site") {
        Some("same-origin" | "none") => false,
        Some(_) => true,
        None => match text(headers, "origin") {
            Some(origin) => !is_ours(origin, host(headers, uri), public),
            None => false,
        },
    }
}

fn is_ours(origin: &str, host: Option<&str>, public: Option<&url::Url>) -> bool {
    let Ok(origin) = url::Url::parse(origin) else { return false };
    if public.is_some_and(|public| public.origin() == origin.origin()) {
        return true;
    }
    let Some(host) = host.and_then(|host| url::Url::parse(&format!("{}://{host}", origin.scheme())).ok()) else {
        return false;
    };
    host.origin() == origin.origin()
}

/// Why a change that comes with a cookie is refused; `None`: it comes from our own page. The browser must say so (it always
/// does), the body must be of a kind that no form sends, and the token must be the session's.
pub(super) fn refused(headers: &HeaderMap, uri: &Uri, public: Option<&url::Url>, token: &str) -> Option<&'static str> {
    let says_so = headers.contains_key("sec-fetch-site") || headers.contains_key(header::ORIGIN);
    if !says_so || text(headers, "sec-fetch-site") == Some("none") || from_elsewhere(headers, uri, public) {
        return Some("it does not come from a page of this installation");
    }
    let kind = text(headers, "content-type").and_then(|kind| kind.split(';').next()).unwrap_or_default();
    let of_forms = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"];
    if of_forms.iter().any(|form| kind.trim().eq_ignore_ascii_case(form)) {
        return Some("its body is of a kind that any page may send");
    }
    let given = text(headers, CSRF).unwrap_or_default();
    if !bool::from(given.as_bytes().ct_eq(token.as_bytes())) {
        return Some("it lacks the session's token");
    }
    None
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::{
        extract::ConnectInfo,
        http::{Extensions, HeaderMap, HeaderName, HeaderValue, Uri},
    };

    use super::{Cookie, refused, visitor};

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn from(peer: &str) -> Extensions {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        extensions
    }

    #[test]
    fn only_a_proxy_on_this_machine_is_believed() {
        let cases = [
            ("203.0.113.9:1", None, "203.0.113.9"),
            ("203.0.113.9:1", Some("198.51.100.1"), "203.0.113.9"),
            ("127.0.0.1:1", Some("198.51.100.1"), "198.51.100.1"),
            ("127.0.0.1:1", Some("10.0.0.1, 198.51.100.1"), "198.51.100.1"),
            ("127.0.0.1:1", Some("nonsense"), "127.0.0.1"),
            ("[::ffff:127.0.0.1]:1", Some("2001:db8::1"), "2001:db8::1"),
        ];
        for (peer, passed_on, address) in cases {
            let headers = passed_on.map(|list| headers(&[("x-forwarded-for", list)])).unwrap_or_default();
            assert_eq!(visitor(&from(peer), &headers).address, address, "{peer} {passed_on:?}");
        }
        assert_eq!(visitor(&Extensions::new(), &HeaderMap::new()).address, "unknown");
    }

    #[test]
    fn the_plain_cookie_is_for_this_machine_only() {
        let uri = Uri::from_static("/api/v1/session");
        let of = |peer: &str, pairs: &[(&str, &str)]| Cookie::of(&from(peer), &headers(pairs), &uri);
        for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST"] {
            assert_eq!(of("127.0.0.1:9", &[("host", host)]), Cookie::Local, "{host}");
            assert_eq!(of("192.0.2.1:9", &[("host", host)]), Cookie::Secure, "{host}");
            assert_eq!(of("127.0.0.1:9", &[("host", host), ("x-forwarded-proto", "https")]), Cookie::Secure);
        }
        for host in ["millrace.example.com", "localhost.example.com", "127.0.0.1.example.com", "10.0.0.1"] {
            assert_eq!(of("127.0.0.1:9", &[("host", host)]), Cookie::Secure, "{host}");
        }
        assert_eq!(of("127.0.0.1:9", &[]), Cookie::Secure);
        assert_eq!(Cookie::of(&Extensions::new(), &headers(&[("host", "localhost")]), &uri), Cookie::Secure);
    }

    #[test]
    fn the_cookies_look_as_they_must() {
        let set = |cookie: Cookie| cookie.set("mrs_1").unwrap().to_str().unwrap().to_owned();
        assert_eq!(set(Cookie::Secure), "__Host-millrace=mrs_1; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(set(Cookie::Local), "millrace-local=mrs_1; Path=/; HttpOnly; SameSite=Lax");
        assert!(Cookie::Secure.set("a\r\nb").is_none());
        assert!(Cookie::Secure.clear().unwrap().to_str().unwrap().ends_with("; Secure; Max-Age=0"));
        let sent = headers(&[("cookie", "a=1; __Host-millrace=mrs_1; millrace-local=x")]);
        assert_eq!(Cookie::Secure.token(&sent).as_deref(), Some("mrs_1"));
        let twice = headers(&[("cookie", "__Host-millrace=mrs_1; __Host-millrace=mrs_2")]);
        assert_eq!(Cookie::Secure.token(&twice), None);
    }

    #[test]
    fn a_change_must_come_from_our_own_page() {
        let uri = Uri::from_static("/api/v1/session");
        let public = url::Url::parse("https://hub.example.com/").unwrap();
        let asked = |pairs: &[(&str, &str)]| refused(&headers(pairs), &uri, Some(&public), "right").is_none();
        let host = ("host", "10.0.0.1:8080");
        let token = ("millrace-csrf", "right");
        let json = ("content-type", "application/json");
        assert!(asked(&[host, token, json, ("sec-fetch-site", "same-origin")]));
        assert!(asked(&[host, token, json, ("origin", "http://10.0.0.1:8080")]));
        assert!(asked(&[host, token, json, ("origin", "https://hub.example.com")]));
        assert!(asked(&[host, token, ("sec-fetch-site", "same-origin")]), "no body");
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!asked(&[host, token, json, ("sec-fetch-site", site)]), "{site}");
        }
        for origin in
            ["http://evil.example", "null", "http://10.0.0.1", "http://hub.example.com", "https://10.0.0.1:80"]
        {
            assert!(!asked(&[host, token, json, ("origin", origin)]), "{origin}");
        }
        assert!(!asked(&[host, token, json]), "a browser always says where it comes from");
        assert!(!asked(&[host, json, ("sec-fetch-site", "same-origin")]), "no token");
        assert!(!asked(&[host, json, ("millrace-csrf", "wrong"), ("sec-fetch-site", "same-origin")]));
        for kind in ["text/plain", "TEXT/PLAIN; charset=utf-8", "multipart/form-data; boundary=x"] {
            assert!(!asked(&[host, token, ("content-type", kind), ("sec-fetch-site", "same-origin")]), "{kind}");
        }
    }
}
