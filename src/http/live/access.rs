//! Who may look.
//!
//! Rule: with a token, whoever shows it. Without one, whoever can connect, but no page of somebody else's site in a browser on this
//! machine: the host that it asks for has to be an address or `localhost`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};

/// The routes for those who show a token, if there is one.
pub(super) fn guarded(routes: Router, token: Option<&str>) -> Router {
    match token {
        Some(token) => routes.layer(from_fn_with_state(Arc::<str>::from(token), with_token)),
        None => routes,
    }
}

async fn with_token(State(token): State<Arc<str>>, request: Request, next: Next) -> Response {
    if shows(request.headers(), &token) {
        return next.run(request).await;
    }
    let wanted = [(header::WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, wanted, "show the token: `Authorization: Bearer TOKEN`\n").into_response()
}

fn shows(headers: &HeaderMap, token: &str) -> bool {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    shown.is_some_and(|shown| are_equal(shown, token.as_bytes()))
}

/// Compares in a time that says nothing of how far they agree.
fn are_equal(shown: &[u8], token: &[u8]) -> bool {
    shown.len() == token.len() && shown.iter().zip(token).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// The routes for those who ask this machine by its address.
pub(super) fn by_address(routes: Router) -> Router {
    routes.layer(from_fn(from_here))
}

async fn from_here(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    if host.is_none_or(is_address) {
        return next.run(request).await;
    }
    let refusal = "ask by an address or as `localhost`, or set a token: other names may be somebody else's\n";
    (StatusCode::FORBIDDEN, refusal).into_response()
}

fn is_address(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost" || host.parse::<SocketAddr>().is_ok() || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_compared_as_a_whole() {
        let headers = |value: &str| HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        assert!(shows(&headers("Bearer open"), "open"));
        for other in ["Bearer ope", "Bearer opens", "Bearer Open", "open", "Basic open", "Bearer "] {
            assert!(!shows(&headers(other), "open"), "{other}");
        }
        assert!(!shows(&HeaderMap::new(), "open"));
    }

    #[test]
    fn names_that_somebody_else_may_have_are_no_address() {
        for here in ["localhost", "localhost:80", "127.0.0.1:9464", "10.0.0.7", "[::1]:80"] {
            assert!(is_address(here), "{here}");
        }
        for other in ["tidemill.example:9464", "127.0.0.1.example", "localhost.example:80"] {
            assert!(!is_address(other), "{other}");
        }
    }
}
