//! What is asked of a Confluent schema registry, and what is made of its answers: on the wire, by a server that answers as told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use tidemill_avro::{AvroErrorKind, ConfluentClient, Schema, SubjectRegistry};

/// Answers one request for each answer, and hands over what came: the first line, the header `authorization`, the body.
fn serve(answers: &'static [(&'static str, &'static str)]) -> (String, JoinHandle<Vec<[String; 3]>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server =
        std::thread::spawn(move || answers.iter().map(|(status, body)| answer(&listener, status, body)).collect());
    (url, server)
}

fn answer(listener: &TcpListener, status: &str, body: &str) -> [String; 3] {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let (mut first, mut length, mut authorization) = (String::new(), 0, String::new());
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "authorization" => authorization = value.to_owned(),
            _ => {}
        }
    }
    let mut sent = vec![0; length];
    reader.read_exact(&mut sent).unwrap();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    reader.get_mut().write_all(format!("{head}{body}").as_bytes()).unwrap();
    [first.trim().to_owned(), authorization, String::from_utf8(sent).unwrap()]
}

#[test]
fn a_schema_is_registered_under_its_subject() {
    let (url, server) = serve(&[("200 OK", r#"{"id":7}"#)]);
    let client = ConfluentClient::new(url).authorization("Bearer x");
    assert_eq!(client.register("a/b-value", &Schema::parse("\"string\"").unwrap()).unwrap(), 7);
    let [[first, authorization, body]] = &server.join().unwrap()[..] else { panic!("one request") };
    assert_eq!(first, "POST /subjects/a%2Fb-value/versions HTTP/1.1");
    assert_eq!((authorization.as_str(), body.as_str()), ("Bearer x", r#"{"schema":"\"string\""}"#));
}

#[test]
fn a_schema_is_found_by_its_number_or_not() {
    let (url, server) = serve(&[
        ("200 OK", r#"{"schema":"[\"null\",\"int\"]"}"#),
        ("404 Not Found", r#"{"error_code":40403,"message":"Schema 8 not found"}"#),
    ]);
    let client = ConfluentClient::new(url);
    assert_eq!(client.schema(7).unwrap().unwrap().canonical(), r#"["null","int"]"#);
    assert!(client.schema(8).unwrap().is_none());
    let requests = server.join().unwrap();
    assert_eq!([&*requests[0][0], &*requests[1][0]], ["GET /schemas/ids/7 HTTP/1.1", "GET /schemas/ids/8 HTTP/1.1"]);
}

#[test]
fn other_answers_are_errors_that_say_what_came() {
    let (url, server) = serve(&[
        ("409 Conflict", r#"{"error_code":409,"message":"incompatible with an earlier schema"}"#),
        ("200 OK", "<html>"),
        ("200 OK", r#"{"schemaType":"PROTOBUF","schema":"syntax"}"#),
        ("200 OK", r#"{"schema":"\"string\"","references":[{"name":"a"}]}"#),
        ("500 Internal Server Error", r#"{"error_code":50001}"#),
    ]);
    let client = ConfluentClient::new(url);
    let register = client.register("s", &Schema::parse("\"int\"").unwrap()).unwrap_err();
    let others: Vec<_> = (0..4).map(|id| client.schema(id).unwrap_err()).collect();
    assert!(register.to_string().contains("409 Conflict, incompatible with"), "{register}");
    for (error, part) in others.iter().zip(["no JSON", "one of PROTOBUF", "refers to other", "500 Internal"]) {
        assert_eq!(error.kind(), AvroErrorKind::Registry);
        assert!(error.to_string().contains(part), "{error}");
    }
    server.join().unwrap();
}

#[test]
fn another_url_is_asked_when_the_first_does_not_answer() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (url, server) = serve(&[("200 OK", r#"{"schema":"\"int\""}"#)]);
    let client = ConfluentClient::new(format!("http://{unused}")).or(url);
    assert_eq!(client.schema(1).unwrap().unwrap().canonical(), "\"int\"");
    server.join().unwrap();
    let alone = ConfluentClient::new(format!("http://{unused}"));
    assert!(alone.schema(1).unwrap_err().to_string().contains("does not answer"));
}
