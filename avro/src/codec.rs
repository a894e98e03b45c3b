//! A Rust type with its schema: what writes its values and reads them, whoever wrote them.
//!
//! Rule: bytes of others go through a [`Resolution`] first, which bounds and checks them; serde sees only what that made.

use std::any::{TypeId, type_name};
use std::marker::PhantomData;
use std::sync::{LazyLock, PoisonError, RwLock};

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use hashbrown::HashMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{AvroError, AvroErrorKind};
use crate::resolution::Resolution;
use crate::schema::Schema;

/// A type that Avro knows: with `apache_avro`'s derive, and serde's.
pub trait AvroType: apache_avro::AvroSchema + Serialize + DeserializeOwned + 'static {}

impl<T: apache_avro::AvroSchema + Serialize + DeserializeOwned + 'static> AvroType for T {}

/// Writes and reads values of `T` as Avro, without a header: the body of a message. Cheap to copy.
///
/// What is made for a type, and for a type with a text, is made once and stays as long as the program.
///
/// ```
/// use apache_avro::AvroSchema;
/// use serde::{Deserialize, Serialize};
/// use tidemill_avro::Codec;
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
/// #[avro(namespace = "bank")]
/// struct Movement {
///     amount: i32,
///     #[avro(default = "\"\"")]
///     error: String,
/// }
///
/// let movements = Codec::<Movement>::derived()?;
/// assert_eq!(movements.schema().id().get(), -7512009716946365583);
/// let mut body = Vec::new();
/// movements.write(&Movement { amount: 64, error: String::new() }, &mut body)?;
/// assert_eq!(body, [0x80, 1, 0]);
///
/// // Written before there were errors.
/// let old = r#"{"type":"record","name":"bank.Movement","fields":[{"name":"amount","type":"int"}]}"#.parse()?;
/// let reading = movements.reading(&old)?;
/// assert_eq!(movements.read(&reading, &[0x80, 1])?.0, Movement { amount: 64, error: String::new() });
/// # Ok::<(), tidemill_avro::AvroError>(())
/// ```
pub struct Codec<T>(&'static Known, PhantomData<fn(T) -> T>);

/// A schema, in both forms that it is used in.
struct Known {
    schema: Schema,
    same: Resolution,
    writer: GenericDatumWriter<'static>,
    reader: GenericDatumReader<'static>,
}

/// By type, for the derived schema; by type and text for others.
type Cache<K> = LazyLock<RwLock<HashMap<K, &'static Known>>>;

static DERIVED: Cache<TypeId> = LazyLock::new(RwLock::default);
static WITH_TEXT: Cache<(TypeId, String)> = LazyLock::new(RwLock::default);

impl<T: Serialize + DeserializeOwned + 'static> Codec<T> {
    /// With a schema of one's own, for types whose derived schema is another one: names and order of an existing topic, for instance.
    /// Fields are found by name.
    ///
    /// # Errors
    ///
    /// [`AvroErrorKind::Schema`] for a text that is no schema. What `T` has no place for is an error of the values.
    pub fn with_schema(text: &str) -> Result<Codec<T>, AvroError> {
        let key = (TypeId::of::<T>(), text.to_owned());
        let make = || {
            let native = apache_avro::Schema::parse_str(text).map_err(|error| no_schema::<T>(&error))?;
            Known::new::<T>(native, text)
        };
        Ok(Codec(known(&WITH_TEXT, key, make)?, PhantomData))
    }
}

impl<T: AvroType> Codec<T> {
    /// With the schema that `T` derives.
    ///
    /// # Errors
    ///
    /// [`AvroErrorKind::Schema`] for a type whose schema is none: two types of one name in it, for instance.
    pub fn derived() -> Result<Codec<T>, AvroError> {
        let make = || {
            let native = T::get_schema();
            let text = serde_json::to_string(&native).map_err(|error| no_schema::<T>(&error))?;
            Known::new::<T>(native, &text)
        };
        Ok(Codec(known(&DERIVED, TypeId::of::<T>(), make)?, PhantomData))
    }
}

fn known<K: Eq + std::hash::Hash>(
    cache: &Cache<K>,
    key: K,
    make: impl FnOnce() -> Result<Known, AvroError>,
) -> Result<&'static Known, AvroError> {
    if let Some(known) = cache.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Ok(known);
    }
    let mut cache = cache.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = cache.get(&key) {
        return Ok(known);
    }
    // As long as the program, because the writer borrows the schema; once for each key, because of the cache.
    let made: &'static Known = Box::leak(Box::new(make()?));
    cache.insert(key, made);
    Ok(made)
}

fn no_schema<T>(error: &dyn std::fmt::Display) -> AvroError {
    AvroError::new(AvroErrorKind::Schema, format!("`{}` has no schema: {error}", type_name::<T>()))
}

impl Known {
    fn new<T>(native: apache_avro::Schema, text: &str) -> Result<Known, AvroError> {
        let schema = Schema::parse(text)?;
        let same = Resolution::new(&schema, &schema)?;
        let native: &'static apache_avro::Schema = Box::leak(Box::new(native));
        let writer = GenericDatumWriter::builder(native).build().map_err(|error| no_schema::<T>(&error))?;
        let reader = GenericDatumReader::builder(native).build().map_err(|error| no_schema::<T>(&error))?;
        Ok(Known { schema, same, writer, reader })
    }
}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Codec<T> {}

impl<T> std::fmt::Debug for Codec<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Codec<{}>({})", type_name::<T>(), self.0.schema.text())
    }
}

impl<T> Codec<T> {
    /// The schema of what is written.
    pub fn schema(&self) -> &'static Schema {
        &self.0.schema
    }

    /// How values of this schema itself are read.
    pub fn own_reading(&self) -> &'static Resolution {
        &self.0.same
    }

    /// How values of another schema are read as `T`.
    ///
    /// # Errors
    ///
    /// As [`Resolution::new`].
    pub fn reading(&self, writer: &Schema) -> Result<Resolution, AvroError> {
        Resolution::new(writer, &self.0.schema)
    }
}

impl<T: Serialize> Codec<T> {
    /// Appends the body of a value; after an error `out` is as it was.
    ///
    /// # Errors
    ///
    /// [`AvroErrorKind::Mismatch`] for a value that the schema does not have.
    pub fn write(&self, value: &T, out: &mut Vec<u8>) -> Result<(), AvroError> {
        let start = out.len();
        self.0.writer.write_ser(out, value).map(drop).map_err(|error| {
            out.truncate(start);
            let message = format!("cannot write `{}` as avro: {error}", type_name::<T>());
            AvroError::mismatch(message).with_source(error)
        })
    }
}

impl<T: DeserializeOwned> Codec<T> {
    /// The value at the start of `body`, and how many bytes it took.
    ///
    /// # Errors
    ///
    /// As [`Resolution::resolve`]; and [`AvroErrorKind::Mismatch`] when `T` refuses the value.
    pub fn read(&self, reading: &Resolution, body: &[u8]) -> Result<(T, usize), AvroError> {
        let (resolved, taken) = reading.resolve(body)?;
        let value = self.0.reader.read_deser(&mut &*resolved).map_err(|error| {
            let message = format!("avro is no `{}`: {error}", type_name::<T>());
            AvroError::mismatch(message).with_source(error)
        })?;
        Ok((value, taken))
    }
}
