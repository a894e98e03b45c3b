//! Events of several types in one topic, as JSON objects that say their type.
//!
//! Rule: what is written is an object of the event's own fields and `type`. What is read may have more, or an older form; a type that
//! nobody knows is an error, because a state that misses an event is wrong.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::serde::{Serde, SerdeError};

/// The field that says an event's type.
const TYPE: &str = "type";
/// The field that older writers put an event's own fields in.
const PAYLOAD: &str = "payload";

type ReadEvent<E> = Arc<dyn Fn(Value) -> Result<E, serde_json::Error> + Send + Sync>;
type WriteEvent<E> = Arc<dyn Fn(&E) -> Option<Result<Value, serde_json::Error>> + Send + Sync>;

/// The serde of events that are told apart by a tag: each type of event is registered under its tag.
///
/// Fields that a type does not know are passed over, so events of older and newer writers can be read; so can those whose fields
/// lie in a field `payload`, as an object or as a text of JSON.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tidemill_dsl::event_sourcing::Tagged;
/// use tidemill_dsl::serde::Serde;
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Created {
///     first_name: String,
/// }
///
/// #[derive(Debug, PartialEq)]
/// enum UserEvent {
///     Created(Created),
/// }
///
/// let events = Tagged::new().with("UserCreatedEvent", UserEvent::Created, |UserEvent::Created(created)| Some(created));
/// let old = br#"{"id":"7","type":"UserCreatedEvent","create_time":"2020-07-24T10:00:00Z","version":0,"first_name":"Ada"}"#;
/// let event = events.read(old)?;
/// assert_eq!(event, UserEvent::Created(Created { first_name: "Ada".into() }));
/// let mut bytes = Vec::new();
/// events.write(&event, &mut bytes)?;
/// assert_eq!(bytes, br#"{"first_name":"Ada","type":"UserCreatedEvent"}"#);
/// # Ok::<(), tidemill_dsl::serde::SerdeError>(())
/// ```
pub struct Tagged<E> {
    types: Vec<EventType<E>>,
}

struct EventType<E> {
    tag: String,
    read: ReadEvent<E>,
    /// `None`: it is only read, under an old tag.
    write: Option<WriteEvent<E>>,
}

impl<E> Default for Tagged<E> {
    fn default() -> Self {
        Tagged::new()
    }
}

impl<E> Tagged<E> {
    /// No types yet.
    pub fn new() -> Self {
        Tagged { types: Vec::new() }
    }

    /// Events of type `T` have this tag; `wrap` makes an event of one, and `part` gives it back if the event is one.
    #[must_use]
    pub fn with<T: Serialize + DeserializeOwned + 'static>(
        mut self,
        tag: &str,
        wrap: impl Fn(T) -> E + Send + Sync + 'static,
        part: impl Fn(&E) -> Option<&T> + Send + Sync + 'static,
    ) -> Self {
        let write = Arc::new(move |event: &E| part(event).map(serde_json::to_value));
        self.types.push(EventType { write: Some(write), ..EventType::reading(tag, wrap) });
        self
    }

    /// Events with this tag are read as a `T`, and never written: an old name, or an old form that is brought up to date.
    #[must_use]
    pub fn also_reading<T: DeserializeOwned + 'static>(
        mut self,
        tag: &str,
        wrap: impl Fn(T) -> E + Send + Sync + 'static,
    ) -> Self {
        self.types.push(EventType::reading(tag, wrap));
        self
    }
}

impl<E> EventType<E> {
    fn reading<T: DeserializeOwned + 'static>(tag: &str, wrap: impl Fn(T) -> E + Send + Sync + 'static) -> Self {
        let read = Arc::new(move |fields| serde_json::from_value(fields).map(&wrap));
        EventType { tag: tag.into(), read, write: None }
    }
}

impl<E: 'static> Serde<E> for Tagged<E> {
    fn write(&self, event: &E, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        let written = self.types.iter().find_map(|known| Some((&known.tag, known.write.as_ref()?(event)?)));
        let Some((tag, fields)) = written else {
            return Err(SerdeError::new(
                "the event is of no type that is registered: add its type with `Tagged::with`",
            ));
        };
        let mut fields = match fields.map_err(|cause| failed(tag, "written", cause))? {
            Value::Object(fields) => fields,
            Value::Null => Map::new(),
            _ => {
                return Err(SerdeError::new(format!(
                    "event `{tag}` has no fields: make it a struct with named fields"
                )));
            }
        };
        fields.insert(TYPE.into(), tag.as_str().into());
        serde_json::to_writer(out, &fields).map_err(|cause| failed(tag, "written", cause))
    }

    fn read(&self, bytes: &[u8]) -> Result<E, SerdeError> {
        let fields: Map<String, Value> = serde_json::from_slice(bytes).map_err(|cause| failed("?", "read", cause))?;
        let Some(tag) = fields.get(TYPE).and_then(Value::as_str).map(str::to_owned) else {
            return Err(SerdeError::new(format!("the event says no type: it needs a text in the field `{TYPE}`")));
        };
        let Some(known) = self.types.iter().find(|known| known.tag == tag) else {
            let tags: Vec<&str> = self.types.iter().map(|known| known.tag.as_str()).collect();
            let message = format!(
                "nobody knows events of type `{tag}` (known: {tags:?}): register it with `Tagged::with` or `also_reading`"
            );
            return Err(SerdeError::new(message));
        };
        let fields = own_fields(fields).map_err(|cause| failed(&tag, "read", cause))?;
        (known.read)(fields).map_err(|cause| failed(&tag, "read", cause))
    }

    fn name(&self) -> String {
        "tagged json".into()
    }
}

/// The event's own fields: those of the object, or of what its payload holds. A payload that was packed twice is unpacked twice, and
/// no deeper.
fn own_fields(mut fields: Map<String, Value>) -> Result<Value, serde_json::Error> {
    for _ in 0..2 {
        fields = match fields.remove(PAYLOAD) {
            Some(Value::Object(inner)) => inner,
            Some(Value::String(text)) => serde_json::from_str(&text)?,
            Some(other) => {
                fields.insert(PAYLOAD.into(), other);
                break;
            }
            None => break,
        };
    }
    Ok(Value::Object(fields))
}

#[cold]
fn failed(tag: &str, what: &str, cause: serde_json::Error) -> SerdeError {
    SerdeError::new(format!("event `{tag}` cannot be {what}: {cause}")).with_source(cause)
}

impl<E> fmt::Debug for Tagged<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.types.iter().map(|known| &known.tag)).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Created {
        first_name: String,
        #[serde(rename = "lastName")]
        last_name: String,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Left {}

    #[derive(Debug, PartialEq)]
    enum Event {
        Created(Created),
        Left(Left),
        Unregistered,
    }

    fn events() -> Tagged<Event> {
        Tagged::new()
            .with(
                "Created",
                Event::Created,
                |event| if let Event::Created(created) = event { Some(created) } else { None },
            )
            .with("Left", Event::Left, |event| if let Event::Left(left) = event { Some(left) } else { None })
            .also_reading("WasCreated", Event::Created)
    }

    fn ada() -> Event {
        Event::Created(Created { first_name: "Ada".into(), last_name: "Byron".into() })
    }

    fn written(event: &Event) -> String {
        let mut bytes = Vec::new();
        events().write(event, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_event_is_written_with_its_own_names_and_its_type() {
        assert_eq!(written(&ada()), r#"{"first_name":"Ada","lastName":"Byron","type":"Created"}"#);
        assert_eq!(written(&Event::Left(Left {})), r#"{"type":"Left"}"#);
    }

    #[test]
    fn an_event_is_resolved_by_its_type() {
        for event in [ada(), Event::Left(Left {})] {
            assert_eq!(events().read(written(&event).as_bytes()).unwrap(), event);
        }
        let old_name = br#"{"type":"WasCreated","first_name":"Ada","lastName":"Byron"}"#;
        assert_eq!(events().read(old_name).unwrap(), ada());
    }

    #[test]
    fn fields_in_a_payload_are_read_too() {
        let own = r#"{"first_name":"Ada","lastName":"Byron","type":"Created","Event":null}"#;
        let as_object = format!(r#"{{"id":"7","type":"Created","payload":{own}}}"#);
        let as_text = format!(r#"{{"type":"Created","payload":{}}}"#, Value::from(own));
        let twice = format!(r#"{{"type":"Created","payload":{}}}"#, Value::from(as_object.as_str()));
        for text in [&as_object, &as_text, &twice] {
            assert_eq!(events().read(text.as_bytes()).unwrap(), ada(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_or_written_says_what_to_do() {
        let says = |bytes: &str| events().read(bytes.as_bytes()).unwrap_err().to_string();
        assert!(says(r#"{"type":"Renamed"}"#).contains("nobody knows events of type `Renamed`"));
        assert!(says(r#"{"first_name":"Ada"}"#).contains("says no type"));
        assert!(says(r#"{"type":"Created"}"#).contains("missing field `first_name`"));
        assert!(says("[]").contains("cannot be read"));
        let error = events().write(&Event::Unregistered, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("add its type"));
    }
}
