//! Which headers go on: those of the request and the answer, not those of a connection.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Request, Uri, Version};

/// Headers that speak of one connection.
const OF_CONNECTIONS: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
];
/// Headers by which some servers take a request for another one than its line says.
const OVERRIDES: [&str; 5] =
    ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"];
/// Of connections too, which the standard does not know.
const OTHERS: [&str; 2] = ["proxy-connection", "keep-alive"];

/// Removes what speaks of a connection, and what a `Connection` header says does.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let named: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(|name| name.trim().to_ascii_lowercase()))
        .collect();
    named.iter().map(String::as_str).chain(OTHERS).for_each(|name| {
        headers.remove(name);
    });
    OF_CONNECTIONS.iter().for_each(|name| {
        headers.remove(name);
    });
}

/// Whether the headers would make another request of it than the one that is judged.
pub(crate) fn override_it(headers: &HeaderMap) -> bool {
    OVERRIDES.iter().any(|name| headers.contains_key(*name))
}

/// The request as `host` gets it; `None` when its URL has no path.
pub(crate) fn onward<B>(mut parts: Parts, host: &str, body: B) -> Option<Request<B>> {
    let host = HeaderValue::from_str(host).ok()?;
    parts.uri = Uri::from(parts.uri.path_and_query()?.clone());
    parts.version = Version::HTTP_11;
    strip(&mut parts.headers);
    // Whatever the client wrote, it is the host that was judged.
    parts.headers.insert(header::HOST, host);
    // The length that counts is that of the body.
    parts.headers.remove(header::CONTENT_LENGTH);
    let mut request = Request::new(body);
    *request.method_mut() = parts.method;
    *request.uri_mut() = parts.uri;
    *request.headers_mut() = parts.headers;
    Some(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_the_one_that_was_judged_and_nothing_of_the_connection_goes_on() {
        let request = Request::builder()
            .uri("http://docs.lan:8080/a?b=c")
            .header("host", "evil.example")
            .header("connection", "keep-alive, X-Mine")
            .header("x-mine", "1")
            .header("proxy-authorization", "Basic eA==")
            .header("proxy-connection", "keep-alive")
            .header("upgrade", "websocket")
            .header("content-length", "9")
            .header("accept", "text/plain")
            .body(())
            .unwrap();
        let (parts, ()) = request.into_parts();
        assert!(!override_it(&parts.headers));
        let onward = onward(parts, "docs.lan:8080", ()).unwrap();
        assert_eq!(onward.uri(), "/a?b=c");
        let names: Vec<_> =
            onward.headers().iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        assert_eq!(names, ["host: docs.lan:8080", "accept: text/plain"]);
    }

    #[test]
    fn a_request_that_says_it_is_another_one_is_told() {
        for name in ["X-HTTP-Method-Override", "X-Original-URL"] {
            let request = Request::builder().header(name, "DELETE").body(()).unwrap();
            assert!(override_it(request.headers()), "{name}");
        }
    }
}
