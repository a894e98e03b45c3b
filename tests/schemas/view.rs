//! The view answers as Kaa's server does.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use tidemill::avro::{AvroError, AvroErrorKind, MemoryRegistry, Schema, SchemaId, SchemaRegistry};

/// Status line, headers and body of an answer.
fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// Serves a registry for as long as the runtime lives.
async fn serve(registry: Arc<dyn SchemaRegistry>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().nest("/registry", tidemill::http::schemas(registry));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn ask(address: SocketAddr, path: &'static str) -> (String, String) {
    tokio::task::spawn_blocking(move || get(address, path)).await.unwrap()
}

#[tokio::test]
async fn schemas_are_shown_by_their_signed_number() {
    let registry = MemoryRegistry::new();
    let text = r#"{"type":"record","name":"Account","namespace":"bank","fields":[{"name":"balance","type":"int"}]}"#;
    registry.put(&Schema::parse(text).unwrap()).unwrap();
    let address = serve(Arc::new(registry)).await;
    let (head, body) = ask(address, "/registry/schemas/ids/5954662915099642308").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("application/json"), "{head}");
    assert!(body.starts_with("{\n  \"type\" : \"record\",\n  \"name\" : \"Account\""), "{body}");
    assert_eq!(Schema::parse(&body).unwrap(), Schema::parse(text).unwrap());
    let statuses = [
        ("/registry", "200"),
        ("/registry/schemas/ids/-1", "404"),
        ("/registry/schemas/ids/x", "400"),
        ("/registry/schemas/ids/9223372036854775808", "400"),
    ];
    for (path, status) in statuses {
        let (head, _) = ask(address, path).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {head}");
    }
}

/// A registry that nobody reaches.
struct Silent;

impl SchemaRegistry for Silent {
    fn put(&self, _: &Schema) -> Result<(), AvroError> {
        Ok(())
    }

    fn get(&self, _: SchemaId) -> Result<Option<Schema>, AvroError> {
        Err(AvroError::new(AvroErrorKind::Registry, "the topic cannot be read"))
    }
}

#[tokio::test]
async fn a_registry_that_does_not_answer_is_said_so() {
    let address = serve(Arc::new(Silent)).await;
    let (head, body) = ask(address, "/registry/schemas/ids/1").await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert_eq!(body, "the topic cannot be read\n");
}
