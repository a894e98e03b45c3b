//! Prints tables and lines; a reader who leaves is no error.

use std::io::{self, BufWriter, StdoutLock, Write};

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};

use crate::failure::Failure;

/// Standard output, a line at a time.
pub(crate) struct Lines(BufWriter<StdoutLock<'static>>);

impl Lines {
    pub(crate) fn new() -> Self {
        Lines(BufWriter::new(io::stdout().lock()))
    }

    pub(crate) fn line(&mut self, line: impl std::fmt::Display) -> Result<(), Failure> {
        writeln!(self.0, "{line}").map_err(Failure::printing)
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.0.flush().map_err(Failure::printing)
    }
}

/// A table; the columns named in `right` are numbers.
pub(crate) fn table(header: &[&str], right: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header.to_vec());
    for (number, _) in header.iter().enumerate().filter(|(_, name)| right.contains(name)) {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.add_rows(rows);
    table.to_string()
}

/// Prints a table, or with `json` one object a line, made of the same rows: a column's name is the field's.
pub(crate) fn rows(json: bool, header: &[&str], right: &[&str], rows: Vec<Vec<String>>) -> Result<(), Failure> {
    let mut out = Lines::new();
    if !json {
        out.line(table(header, right, rows))?;
        return out.flush();
    }
    for row in rows {
        let field = |(name, cell): (&&str, String)| {
            let number = right.contains(name).then(|| cell.parse::<i64>().ok()).flatten();
            let absent = right.contains(name) && cell.is_empty();
            let value = if absent { serde_json::Value::Null } else { number.map_or_else(|| cell.into(), Into::into) };
            ((*name).replace(' ', "_"), value)
        };
        let object: serde_json::Map<String, serde_json::Value> = header.iter().zip(row).map(field).collect();
        out.line(serde_json::Value::Object(object))?;
    }
    out.flush()
}
