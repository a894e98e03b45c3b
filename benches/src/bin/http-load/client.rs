//! One connection to a service, with one request under way.

use anyhow::{Context, Result, ensure};
use http_body_util::BodyExt;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

pub(crate) struct Client {
    address: String,
    sender: SendRequest<String>,
}

impl Client {
    pub(crate) async fn connect(address: &str) -> Result<Client> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to `{address}`"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Client { address: address.to_owned(), sender })
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Value> {
        self.send(Method::GET, path, String::new()).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        self.send(Method::POST, path, body.to_string()).await
    }

    pub(crate) async fn put(&mut self, path: &str, body: &Value) -> Result<Value> {
        self.send(Method::PUT, path, body.to_string()).await
    }

    /// The answer's body; an error where the service refuses.
    async fn send(&mut self, method: Method, path: &str, body: String) -> Result<Value> {
        let request = Request::builder().method(method).uri(path).header("host", &self.address);
        let request = request.header("content-type", "application/json").body(body)?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "`{path}` was answered with {status}: {}", String::from_utf8_lossy(&bytes));
        if bytes.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&bytes)?) }
    }
}
