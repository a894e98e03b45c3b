//! Reads `#[data(..)]`, and refuses what it does not know with what to write instead.

use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Expr, ExprLit, Lit, Path, Result, parse_quote};

/// What the attributes of the type ask for.
pub(crate) struct Options {
    /// Where the crate `tidemill` is found.
    pub(crate) tidemill: Path,
    /// The type's own serde.
    pub(crate) serde: Option<OwnSerde>,
}

/// Which serde the type has.
pub(crate) enum OwnSerde {
    Json,
    Avro,
    Named(Expr),
}

impl Options {
    pub(crate) fn of(input: &DeriveInput) -> Result<Options> {
        refuse_on_members(&input.data)?;
        let mut options = Options { tidemill: parse_quote!(::tidemill), serde: None };
        for attribute in data_attributes(&input.attrs) {
            attribute.parse_nested_meta(|meta| options.read(&meta))?;
        }
        Ok(options)
    }

    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("json") {
            self.name_serde(meta, OwnSerde::Json)
        } else if meta.path.is_ident("avro") {
            self.name_serde(meta, OwnSerde::Avro)
        } else if meta.path.is_ident("serde") {
            self.name_serde(meta, OwnSerde::Named(expression(meta)?))
        } else if meta.path.is_ident("crate") {
            self.tidemill = meta.value()?.call(Path::parse_mod_style)?;
            Ok(())
        } else {
            Err(meta
                .error("unknown option of `#[data(..)]`: write `json`, `avro`, `serde = EXPRESSION` or `crate = PATH`"))
        }
    }

    fn name_serde(&mut self, meta: &ParseNestedMeta<'_>, serde: OwnSerde) -> Result<()> {
        match self.serde.replace(serde) {
            None => Ok(()),
            Some(_) => Err(meta.error("the serde is named twice: keep one of `json`, `avro` and `serde = EXPRESSION`")),
        }
    }
}

fn expression(meta: &ParseNestedMeta<'_>) -> Result<Expr> {
    let expression: Expr = meta.value()?.parse()?;
    match &expression {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            let message = format!("write it without quotes: `serde = {}`", text.value());
            Err(Error::new(text.span(), message))
        }
        _ => Ok(expression),
    }
}

fn refuse_on_members(data: &Data) -> Result<()> {
    let attributes: Vec<&Attribute> = match data {
        Data::Struct(data) => data.fields.iter().flat_map(|field| &field.attrs).collect(),
        Data::Enum(data) => data
            .variants
            .iter()
            .flat_map(|variant| variant.attrs.iter().chain(variant.fields.iter().flat_map(|field| &field.attrs)))
            .collect(),
        Data::Union(data) => {
            let message = "a union cannot be `Data`, because nobody knows which field is there: write an enum";
            return Err(Error::new(data.union_token.span, message));
        }
    };
    match data_attributes(attributes).next() {
        None => Ok(()),
        Some(attribute) => Err(Error::new(
            attribute.span(),
            "`#[data(..)]` belongs on the type: a field travels as the type's serde writes it",
        )),
    }
}

fn data_attributes<'a>(attributes: impl IntoIterator<Item = &'a Attribute>) -> impl Iterator<Item = &'a Attribute> {
    attributes.into_iter().filter(|attribute| attribute.path().is_ident("data"))
}
