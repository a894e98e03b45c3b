//! Asks whether a broker answers, in Kafka's protocol: a connection alone proves nothing, since the socket is there long before
//! the broker takes requests.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(2);
/// `ApiVersions`, version 0, correlation id 1, no client id: what every broker answers to everybody.
const REQUEST: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff];

/// Whether a broker takes requests there.
pub(super) fn answers(address: SocketAddr) -> bool {
    ask(address).is_ok_and(|answer| is_good(&answer))
}

/// Correlation id and error code of the answer.
fn ask(address: SocketAddr) -> std::io::Result<[u8; 10]> {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(&REQUEST)?;
    let mut answer = [0; 10];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// `size i32 | correlation id i32 | error i16`: the answer to this request, without an error.
fn is_good(answer: &[u8; 10]) -> bool {
    answer[4..] == [0, 0, 0, 1, 0, 0]
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    /// Whether something that answers with these bytes is taken for a broker.
    fn taken_for_a_broker(bytes: &'static [u8]) -> bool {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let other = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; REQUEST.len()];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(bytes).unwrap();
        });
        let answers = answers(address);
        other.join().unwrap();
        answers
    }

    #[test]
    fn an_answer_in_kafkas_protocol_is_needed() {
        assert!(taken_for_a_broker(&[0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
        assert!(!taken_for_a_broker(&[0, 0, 0, 6, 0, 0, 0, 1, 0, 35]), "an error is no answer");
        assert!(!taken_for_a_broker(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        assert!(!taken_for_a_broker(b""));
    }
}
