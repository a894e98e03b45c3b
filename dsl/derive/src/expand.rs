//! Writes the implementations.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error, Generics, Path, Result, WherePredicate, parse_quote};

use crate::options::{Options, OwnSerde};

/// The implementations of `Data` and, when a serde is named, of `DefaultSerde`.
pub(crate) fn data(input: &DeriveInput) -> Result<TokenStream> {
    let options = Options::of(input)?;
    if let Some(lifetime) = input.generics.lifetimes().next() {
        let message = "`Data` owns what it holds, because records outlive the call that makes them: \
                       use owned types, such as `String` in place of `&str`";
        return Err(Error::new_spanned(lifetime, message));
    }
    // A generic type may have its serde only for some parameters, which `Data` does not ask about.
    let own = options.serde.is_some() && input.generics.params.is_empty();
    let data = impl_data(input, &options.tidemill, own);
    let serde = options.serde.map(|serde| impl_default_serde(input, &options.tidemill, &serde));
    Ok(quote!(#data #serde))
}

fn impl_data(input: &DeriveInput, tidemill: &Path, own_serde: bool) -> TokenStream {
    let name = &input.ident;
    let generics = bounded(&input.generics, None);
    let (params, args, bounds) = generics.split_for_impl();
    let own_serde = own_serde.then(|| {
        quote! {
            const OWN_SERDE: ::core::option::Option<&'static dyn #tidemill::serde::Serde<Self>> =
                ::core::option::Option::Some(<Self as #tidemill::serde::DefaultSerde>::SERDE);
            const OWN_LIST_SERDE: ::core::option::Option<&'static dyn #tidemill::serde::Serde<::std::vec::Vec<Self>>> =
                ::core::option::Option::Some(<Self as #tidemill::serde::DefaultSerde>::LIST_SERDE);
        }
    });
    quote! {
        #[automatically_derived]
        impl #params #tidemill::serde::Data for #name #args #bounds {
            type Plain = Self;
            const NULLABLE: bool = false;
            #own_serde

            fn plain(&self) -> ::core::option::Option<&Self> {
                ::core::option::Option::Some(self)
            }

            fn into_plain(self) -> ::core::option::Option<Self> {
                ::core::option::Option::Some(self)
            }

            fn from_plain(plain: Self) -> Self {
                plain
            }

            fn absent() -> ::core::option::Option<Self> {
                ::core::option::Option::None
            }
        }
    }
}

fn impl_default_serde(input: &DeriveInput, tidemill: &Path, serde: &OwnSerde) -> TokenStream {
    let name = &input.ident;
    // What JSON asks of the type parameters is asked of the whole type: serde's derives decide what that means for each.
    let (serde, needs) = match serde {
        OwnSerde::Json => {
            let json = quote!(#tidemill::serde::Json<Self>);
            (quote!(<#json>::new()), Some(parse_quote!(#json: #tidemill::serde::Serde<Self>)))
        }
        OwnSerde::Avro => {
            let avro = quote!(#tidemill::avro::Avro<Self>);
            (quote!(<#avro>::new()), Some(parse_quote!(#avro: #tidemill::serde::Serde<Self>)))
        }
        OwnSerde::Named(expression) => (quote!(#expression), None),
    };
    let generics = bounded(&input.generics, needs);
    let (params, args, bounds) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #params #tidemill::serde::DefaultSerde for #name #args #bounds {
            const SERDE: &'static dyn #tidemill::serde::Serde<Self> = &#serde;
            const LIST_SERDE: &'static dyn #tidemill::serde::Serde<::std::vec::Vec<Self>> =
                &#tidemill::serde::List::new(#serde);
        }
    }
}

/// The type's generics with the bounds that its parameters need. A type without parameters gets none: what it lacks is then
/// reported once, where the type is, and not at every use.
fn bounded(generics: &Generics, needs: Option<WherePredicate>) -> Generics {
    let mut generics = generics.clone();
    if generics.type_params().next().is_some() {
        let predicates = &mut generics.make_where_clause().predicates;
        predicates.push(parse_quote!(Self: ::core::marker::Send + 'static));
        predicates.extend(needs);
    }
    generics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_error(input: DeriveInput, message: &str) {
        assert_eq!(data(&input).expect_err("this must not compile").to_string(), message);
    }

    #[test]
    fn what_cannot_be_derived_says_what_to_write_instead() {
        check_error(
            parse_quote!(union Either { a: u8, b: i8 }),
            "a union cannot be `Data`, because nobody knows which field is there: write an enum",
        );
        check_error(
            parse_quote!(
                struct Name<'a>(&'a str);
            ),
            "`Data` owns what it holds, because records outlive the call that makes them: \
             use owned types, such as `String` in place of `&str`",
        );
    }

    #[test]
    fn unknown_and_doubled_options_say_what_to_write_instead() {
        let known = "unknown option of `#[data(..)]`: write `json`, `avro`, `serde = EXPRESSION` or `crate = PATH`";
        check_error(
            parse_quote!(
                #[data(jsno)]
                struct A;
            ),
            known,
        );
        check_error(
            parse_quote!(
                #[data(json, xml)]
                struct A;
            ),
            known,
        );
        let twice = "the serde is named twice: keep one of `json`, `avro` and `serde = EXPRESSION`";
        check_error(
            parse_quote!(
                #[data(json, serde = MINE)]
                struct A;
            ),
            twice,
        );
        check_error(
            parse_quote!(
                #[data(json, avro)]
                struct A;
            ),
            twice,
        );
        check_error(
            parse_quote!(
                #[data(json)]
                #[data(json)]
                struct A;
            ),
            twice,
        );
        let quoted = "write it without quotes: `serde = my::MINE`";
        check_error(
            parse_quote!(
                #[data(serde = "my::MINE")]
                struct A;
            ),
            quoted,
        );
    }

    #[test]
    fn options_on_fields_and_variants_are_refused() {
        let message = "`#[data(..)]` belongs on the type: a field travels as the type's serde writes it";
        check_error(
            parse_quote!(
                struct A {
                    #[data(json)]
                    a: u8,
                }
            ),
            message,
        );
        check_error(
            parse_quote!(
                enum A {
                    #[data(json)]
                    B,
                }
            ),
            message,
        );
        check_error(
            parse_quote!(
                enum A {
                    B(#[data(json)] u8),
                }
            ),
            message,
        );
    }

    #[test]
    fn options_without_their_value_are_refused() {
        for input in [
            parse_quote!(
                #[data(serde)]
                struct A;
            ),
            parse_quote!(
                #[data(crate)]
                struct A;
            ),
        ] {
            assert!(data(&input).is_err());
        }
    }

    #[test]
    fn only_types_with_parameters_get_bounds() {
        let bare = data(&parse_quote!(
            #[data(json)]
            struct A;
        ))
        .expect("a plain struct")
        .to_string();
        assert!(!bare.contains("where"), "{bare}");
        let generic = data(&parse_quote!(
            #[data(json)]
            struct A<T>(T);
        ))
        .expect("a generic struct")
        .to_string();
        assert_eq!(generic.matches("Self : :: core :: marker :: Send + 'static").count(), 2, "{generic}");
    }
}
