//! From a request in proxy form to what policies judge.

use http::{Method, Uri};
use ikigai_types::egress::{EgressAsk, EgressHost, EgressWay};

/// Longest part of a path that is told.
const PATH_SHOWN: usize = 60;

/// A request that can be judged.
#[derive(Debug)]
pub(crate) struct Asked<'r> {
    pub(crate) ask: EgressAsk<'r>,
    /// For people: method, host, port and the beginning of the path; never the query.
    pub(crate) shown: String,
}

impl<'r> Asked<'r> {
    /// Reads it, or says why nothing like it is passed on.
    pub(crate) fn of(method: &'r Method, uri: &'r Uri, body: bool) -> Result<Self, &'static str> {
        let authority = uri.authority().ok_or("it names no host")?;
        let after = authority.as_str().strip_prefix(authority.host()).unwrap_or(":x");
        if !after.is_empty()
            && !after.strip_prefix(':').is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err("its host is neither a name nor an address");
        }
        if authority.as_str().contains('@') {
            return Err("no name and password are passed on in a URL");
        }
        let host =
            EgressHost::exact(authority.host()).map_err(|_| "its host is neither a name nor an address")?;
        let (port, way) = if method == Method::CONNECT {
            (uri.port_u16().ok_or("CONNECT needs a port")?, EgressWay::Tunnel)
        } else {
            if uri.scheme_str() != Some("http") {
                return Err("TLS goes through CONNECT");
            }
            if method == Method::TRACE {
                return Err("TRACE is never passed on");
            }
            let way = EgressWay::Plain { method: method.as_str(), path: uri.path(), body };
            let colon = authority.as_str().len() > authority.host().len();
            let port = uri.port_u16().or_else(|| (!colon).then_some(80));
            (port.ok_or("its port is none")?, way)
        };
        Ok(Self { ask: EgressAsk { host, port, way }, shown: shown(method, uri) })
    }

    /// The `Host` of it, as it was judged.
    pub(crate) fn host(&self) -> String {
        match self.ask.port {
            80 => self.ask.host.to_string(),
            port => format!("{}:{port}", self.ask.host),
        }
    }
}

/// What was asked for, for people.
pub(crate) fn shown(method: &Method, uri: &Uri) -> String {
    let host = uri.authority().map_or("", |a| a.as_str().rsplit('@').next().unwrap_or_default());
    let host: String = host.chars().take(PATH_SHOWN).collect();
    let method: String = method.as_str().chars().take(20).collect();
    if method == "CONNECT" {
        return format!("{method} {host}");
    }
    let path: String = uri.path().chars().take(PATH_SHOWN).collect();
    format!("{method} {host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(request: &str) -> Result<(String, u16, String), &'static str> {
        let (method, uri) = request.split_once(' ').unwrap();
        let (method, uri) = (method.parse().unwrap(), uri.parse().unwrap());
        let asked = Asked::of(&method, &uri, false)?;
        Ok((asked.ask.host.to_string(), asked.ask.port, asked.shown))
    }

    #[track_caller]
    fn check(request: &str, host: &str, port: u16, shown: &str) {
        assert_eq!(read(request), Ok((host.to_owned(), port, shown.to_owned())), "{request}");
    }

    #[test]
    fn a_request_is_read_and_its_query_is_not_shown() {
        check("GET http://Docs.LAN/a?token=x", "docs.lan", 80, "GET Docs.LAN/a");
        check("POST http://[::1]:8080/", "[::1]", 8080, "POST [::1]:8080/");
        check("CONNECT docs.lan:443", "docs.lan", 443, "CONNECT docs.lan:443");
    }

    #[test]
    fn what_cannot_be_judged_is_no_request() {
        for bad in [
            "GET https://docs.lan/",
            "GET ftp://docs.lan/",
            "GET http://user:secret@docs.lan/",
            "CONNECT docs.lan",
            "TRACE http://docs.lan/",
            "GET http://docs.lan:99999/",
            "GET http://docs.lan:/",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let uri = "http://user:secret@docs.lan/x".parse().unwrap();
        assert_eq!(shown(&Method::GET, &uri), "GET docs.lan/x");
    }
}
