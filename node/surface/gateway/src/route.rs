//! What passes a gate, and what does not: the whole list.

use http::{Method, Uri};

/// Longest text told about a denial, in characters.
const TOLD_MAX: usize = 200;

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// A model call.
    Responses,
    /// The provider's list of models.
    Models,
    /// agentd's control connection.
    Control,
    /// A stream that agentd brings.
    Stream(u64),
    /// A host outside, in plain HTTP.
    Outside,
    /// A host outside, through a tunnel.
    Tunnel,
    /// Nowhere.
    Denied,
}

/// Decides by method and path alone. A request in proxy form (CONNECT, or a URL with a host) is for a host outside,
/// and never for the model or agentd.
pub(crate) fn route(method: &Method, uri: &Uri) -> Route {
    if method == Method::CONNECT {
        return Route::Tunnel;
    }
    if uri.authority().is_some() || uri.scheme().is_some() {
        return Route::Outside;
    }
    let path = uri.path();
    match (method, path.strip_prefix("/v1").unwrap_or(path)) {
        (&Method::POST, "/responses") => Route::Responses,
        (&Method::GET, "/models") => Route::Models,
        (&Method::GET, _) => agentd(path),
        _ => Route::Denied,
    }
}

fn agentd(path: &str) -> Route {
    let Some(place) = path.strip_prefix("/agentd/") else { return Route::Denied };
    if place == "control" {
        return Route::Control;
    }
    let id = place.strip_prefix("streams/").filter(|id| id.bytes().all(|b| b.is_ascii_digit()));
    id.and_then(|id| id.parse().ok()).map_or(Route::Denied, Route::Stream)
}

/// Text from an agent or a provider, fit to be shown: no control, zero-width or direction characters, bounded.
pub(crate) fn clean(text: &str) -> String {
    let hidden = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let shown = text.chars().map(|c| if c.is_control() || hidden(c) { '\u{fffd}' } else { c });
    shown.take(TOLD_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(request: &str, expect: &Route) {
        let (method, uri) = request.split_once(' ').unwrap();
        assert_eq!(route(&method.parse().unwrap(), &uri.parse().unwrap()), *expect, "{request}");
    }

    #[test]
    fn only_what_is_listed_passes() {
        check("POST /v1/responses", &Route::Responses);
        check("POST /responses", &Route::Responses);
        check("GET /v1/models?client_version=1", &Route::Models);
        check("GET /agentd/control", &Route::Control);
        check("GET /agentd/streams/7", &Route::Stream(7));
        for denied in [
            "GET /v1/responses",
            "GET /v1/responses/resp_1",
            "POST /v1/responses/",
            "POST /v1/responses/compact",
            "POST /v1/v1/responses",
            "POST //v1/responses",
            "POST /v1/../v1/responses",
            "POST /v1/chat/completions",
            "POST /v1/files",
            "DELETE /v1/models",
            "GET /v1/agentd/control",
            "POST /agentd/control",
            "GET /agentd/streams/",
            "GET /agentd/streams/-1",
            "GET /agentd/streams/+7",
            "GET /agentd/streams/99999999999999999999",
            "GET /",
            "OPTIONS *",
        ] {
            check(denied, &Route::Denied);
        }
        check("CONNECT api.openai.com:443", &Route::Tunnel);
        check("GET http://169.254.169.254/latest/meta-data", &Route::Outside);
        check("POST http://127.0.0.1/v1/responses", &Route::Outside);
        check("GET http://agentd/agentd/control", &Route::Outside);
    }

    #[test]
    fn what_is_told_is_clean_and_short() {
        assert_eq!(clean("GET /\x1b[31m\u{202e}x\n"), "GET /\u{fffd}[31m\u{fffd}x\u{fffd}");
        assert_eq!(clean(&"é".repeat(500)).chars().count(), TOLD_MAX);
    }
}
