//! How connections are encrypted, and who the program says it is.
//!
//! Rule: a secret goes to the client library and nowhere else: no `Debug`, no message and no log shows it.

use std::fmt;
use std::path::PathBuf;

use super::super::{LogError, LogErrorKind};

/// Text that is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// How connections are encrypted, and who the program says it is.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Security {
    /// Neither encrypted nor named: everybody on the way can read and write everything.
    #[default]
    Plaintext,
    /// Encrypted. Needs the feature `kafka-tls`.
    Tls(Tls),
    /// Encrypted, with a user's name and password. Needs the feature `kafka-tls`.
    Sasl(Tls, Sasl),
}

/// How brokers are recognised, and the program by them.
#[derive(Clone, Debug)]
pub struct Tls {
    pub(crate) authorities: Option<PathBuf>,
    pub(crate) certificate: Option<ClientCertificate>,
    verify: bool,
}

impl Default for Tls {
    fn default() -> Self {
        Tls { authorities: None, certificate: None, verify: true }
    }
}

impl Tls {
    /// Trusts the authorities of the system.
    pub fn new() -> Self {
        Tls::default()
    }

    /// Trusts the authorities whose certificates are in a PEM file, instead of the system's.
    #[must_use]
    pub fn authorities(self, file: impl Into<PathBuf>) -> Self {
        Tls { authorities: Some(file.into()), ..self }
    }

    /// Shows a certificate to brokers that ask who the program is.
    #[must_use]
    pub fn certificate(self, own: ClientCertificate) -> Self {
        Tls { certificate: Some(own), ..self }
    }

    /// Takes everybody on the way for a broker. For experiments: whoever can answer can read and write everything.
    #[must_use]
    pub fn danger_accept_any_certificate(self) -> Self {
        Tls { verify: false, ..self }
    }
}

/// A certificate and its key, PEM files.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// What the key's file is encrypted with.
    pub password: Option<Secret>,
}

/// A user's name and password.
#[derive(Clone, Debug)]
pub struct Sasl {
    /// How they are shown to the brokers.
    pub mechanism: Mechanism,
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: Secret,
}

/// How a password is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// As it is.
    Plain,
    /// So that the brokers do not learn it, with SHA-256.
    ScramSha256,
    /// So that the brokers do not learn it, with SHA-512.
    ScramSha512,
}

impl Security {
    pub(crate) fn tls(&self) -> Option<&Tls> {
        match self {
            Security::Plaintext => None,
            Security::Tls(tls) | Security::Sasl(tls, _) => Some(tls),
        }
    }

    pub(crate) fn tls_mut(&mut self) -> Option<&mut Tls> {
        match self {
            Security::Plaintext => None,
            Security::Tls(tls) | Security::Sasl(tls, _) => Some(tls),
        }
    }

    pub(crate) fn sasl(&self) -> Option<&Sasl> {
        if let Security::Sasl(_, sasl) = self { Some(sasl) } else { None }
    }

    pub(crate) fn sasl_mut(&mut self) -> Option<&mut Sasl> {
        if let Security::Sasl(_, sasl) = self { Some(sasl) } else { None }
    }

    /// What the client library is told, secrets among it.
    pub(super) fn client_settings(&self) -> Result<Vec<(&'static str, String)>, LogError> {
        let (tls, sasl) = match self {
            Security::Plaintext => return Ok(Vec::new()),
            Security::Tls(tls) => (tls, None),
            Security::Sasl(tls, sasl) => (tls, Some(sasl)),
        };
        if !cfg!(feature = "kafka-tls") {
            let message = "the program was built without the feature `kafka-tls`, so it cannot encrypt: add the feature, which \
                           needs the headers of OpenSSL, or use `Security::Plaintext`";
            return Err(LogError::new(LogErrorKind::Invalid, message));
        }
        let mut settings = vec![("security.protocol", if sasl.is_some() { "sasl_ssl" } else { "ssl" }.to_owned())];
        settings.push(("enable.ssl.certificate.verification", tls.verify.to_string()));
        let mut add_path = |name, path: &PathBuf| match path.to_str() {
            Some(path) => {
                settings.push((name, path.to_owned()));
                Ok(())
            }
            None => Err(LogError::new(LogErrorKind::Invalid, format!("the path {path:?} for `{name}` is not UTF-8"))),
        };
        tls.authorities.iter().try_for_each(|path| add_path("ssl.ca.location", path))?;
        if let Some(own) = &tls.certificate {
            add_path("ssl.certificate.location", &own.certificate)?;
            add_path("ssl.key.location", &own.key)?;
            settings.extend(own.password.iter().map(|Secret(password)| ("ssl.key.password", password.clone())));
        }
        if let Some(Sasl { mechanism, user, password: Secret(password) }) = sasl {
            let mechanism = match mechanism {
                Mechanism::Plain => "PLAIN",
                Mechanism::ScramSha256 => "SCRAM-SHA-256",
                Mechanism::ScramSha512 => "SCRAM-SHA-512",
            };
            settings.push(("sasl.mechanisms", mechanism.to_owned()));
            settings.push(("sasl.username", user.clone()));
            settings.push(("sasl.password", password.clone()));
        }
        Ok(settings)
    }
}
