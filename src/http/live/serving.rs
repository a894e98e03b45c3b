//! Listens for those who want to look.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::{LiveView, access};
use crate::error::{Error, ErrorKind};

/// Where a live view is served.
///
/// ```
/// use tidemill::http::LiveViewAddress;
///
/// assert_eq!(LiveViewAddress::default().bind.to_string(), "127.0.0.1:0");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveViewAddress {
    /// The address to listen at; by default the machine's own, `127.0.0.1`, at a port that is free. One that others reach asks for a
    /// [token](LiveView::token).
    pub bind: SocketAddr,
}

impl Default for LiveViewAddress {
    fn default() -> Self {
        LiveViewAddress { bind: (Ipv4Addr::LOCALHOST, 0).into() }
    }
}

/// A live view that is served, for as long as this is there.
#[derive(Debug)]
pub struct ServedView {
    address: SocketAddr,
    serving: AbortHandle,
}

impl ServedView {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for ServedView {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl LiveView {
    /// Listens, and answers in the tokio runtime that this is called in until the result is dropped. Without a token it answers those
    /// alone who ask by an address or as `localhost`: a page on the internet cannot look through the browser of somebody here.
    ///
    /// # Errors
    ///
    /// `Invalid` for an address that others reach without a token, `Unavailable` when it cannot be listened at.
    pub async fn serve(&self, at: LiveViewAddress) -> Result<ServedView, Error> {
        let bind = at.bind;
        if self.token.is_none() && !bind.ip().is_loopback() {
            let message = format!("others reach {bind}, and could read the stores: set a token, or bind `127.0.0.1`");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let cannot = |cause: std::io::Error| {
            let message = format!("cannot serve the live view at {bind}: {cause}; choose another address or port");
            Error::new(ErrorKind::Unavailable, message)
        };
        let listener = TcpListener::bind(bind).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let router = match self.token {
            Some(_) => self.router(),
            None => access::by_address(self.router()),
        };
        let serve = async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::warn!(%error, "the live view is not served any more");
            }
        };
        Ok(ServedView { address, serving: tokio::spawn(serve).abort_handle() })
    }
}
