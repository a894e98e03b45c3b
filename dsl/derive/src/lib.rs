//! `#[derive(Data)]`: says how a type travels through a topology.
#![forbid(unsafe_code)]

mod expand;
mod options;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `tidemill::serde::Data` for a struct or an enum: a type that is never absent, and that may be a key or a value.
///
/// On the type, in `#[data(..)]`:
///
/// - `json`: the type's own serde (`DefaultSerde`) is compact JSON; it needs serde's `Serialize` and `Deserialize`.
/// - `avro`: it is Avro's single-object encoding, with the feature `avro`; it needs serde's derives and `apache_avro`'s `AvroSchema`.
/// - `serde = EXPRESSION`: the type's own serde is this constant, or what this constant function gives.
/// - `crate = PATH`: where the crate `tidemill` is found, when not at `::tidemill`.
///
/// Without `json`, `avro` and `serde` the type has no serde of its own, and topics and stores name one. Lists of a type with a serde
/// have Kafka's list format. Type parameters must be `Send + 'static` where the type is used; lifetimes are refused.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tidemill::serde::{Data, SerdeRef};
///
/// #[derive(Serialize, Deserialize, Data)]
/// #[data(json)]
/// struct Account {
///     balance: i64,
/// }
///
/// const ACCOUNT: SerdeRef<Option<Account>> = SerdeRef::of();
/// assert_eq!(ACCOUNT.read(br#"{"balance":3}"#)?.unwrap().balance, 3);
/// # Ok::<(), tidemill::serde::SerdeError>(())
/// ```
#[proc_macro_derive(Data, attributes(data))]
pub fn derive_data(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::data(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
