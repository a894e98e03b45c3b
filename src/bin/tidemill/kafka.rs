//! What commands say of a Kafka cluster.

/// A setting of the client, `key=value`.
pub(crate) fn setting(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    pair.map(|(key, value)| (key.to_owned(), value.to_owned())).ok_or_else(|| "write `key=value`".to_owned())
}
