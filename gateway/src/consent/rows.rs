//! Lists of statements, read as they come: CSV or JSON Lines in chunks of any size, out in pieces of whole rows.
//!
//! Memory holds one row and one piece, however long the list is. A piece has a row a line: its number, a tab, JSON.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::tell::{Shown, Told};
use crate::domain::{ConsentChannel, ConsentStatus, Timestamp};

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// With a header line.
    Csv,
    JsonLines,
}

/// Rows of a piece, of which a step of the job takes one (four on PostgreSQL): one statement each (`storage::batch`),
/// some milliseconds of the writer. A larger one is a little cheaper and keeps who writes to a business waiting
/// (docs/performance.md).
const PIECE_ROWS: usize = 32;
const ROW_BYTES: usize = 65_536;

/// The columns of CSV and the keys of JSON Lines.
pub const COLUMNS: [&str; 13] = [
    "contact",
    "external_id",
    "phone",
    "scope",
    "status",
    "at",
    "channel",
    "wording",
    "wording_version",
    "language",
    "source",
    "address",
    "proof",
];

/// Why a list cannot be read any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    #[error("row {0} is longer than {ROW_BYTES} bytes, or a quote in it is never closed")]
    Long(i64),
    #[error("row {0} is not UTF-8")]
    Text(i64),
    #[error("the header names a column `{0}`: known are {known}", known = COLUMNS.join(", "))]
    Column(String),
    #[error("the header needs the columns scope and at, and one of phone, external_id and contact")]
    Header,
    #[error("there is no row in it")]
    Empty,
}

/// Cuts a list into rows and rows into pieces.
#[derive(Debug)]
pub struct Rows {
    format: Format,
    header: Option<Vec<String>>,
    /// What came after the last whole row.
    rest: Vec<u8>,
    /// How much of it was looked at, and whether that ends within quotes.
    looked: usize,
    quoted: bool,
    piece: String,
    in_piece: usize,
    /// Rows so far, the header not counted.
    pub count: i64,
}

impl Rows {
    pub fn new(format: Format) -> Self {
        Self {
            format,
            header: None,
            rest: Vec::new(),
            looked: 0,
            quoted: false,
            piece: String::new(),
            in_piece: 0,
            count: 0,
        }
    }

    /// Takes a chunk; answers the pieces that are full.
    pub fn take(&mut self, chunk: &[u8]) -> Result<Vec<String>, ListError> {
        self.rest.extend_from_slice(chunk);
        let mut full = Vec::new();
        let mut from = 0;
        while let Some(end) = self.end_of_row() {
            let row = self.rest[from..end].to_vec();
            from = end + 1;
            self.row(&row)?;
            if self.in_piece >= PIECE_ROWS {
                self.in_piece = 0;
                full.push(std::mem::take(&mut self.piece));
            }
        }
        self.rest.drain(..from);
        self.looked -= from;
        match self.rest.len() > ROW_BYTES {
            true => Err(ListError::Long(self.count + 1)),
            false => Ok(full),
        }
    }

    /// The last piece, if there is one.
    pub fn end(&mut self) -> Result<Option<String>, ListError> {
        if self.quoted {
            return Err(ListError::Long(self.count + 1));
        }
        let row = std::mem::take(&mut self.rest);
        self.looked = 0;
        self.row(&row)?;
        if self.count == 0 {
            return Err(ListError::Empty);
        }
        let last = std::mem::take(&mut self.piece);
        Ok((!last.is_empty()).then_some(last))
    }

    /// Where the next row ends: at a newline, in CSV one that is not within quotes.
    fn end_of_row(&mut self) -> Option<usize> {
        while let Some(byte) = self.rest.get(self.looked) {
            self.looked += 1;
            match byte {
                b'"' if self.format == Format::Csv => self.quoted = !self.quoted,
                b'\n' if !self.quoted => return Some(self.looked - 1),
                _ => {}
            }
        }
        None
    }

    fn row(&mut self, bytes: &[u8]) -> Result<(), ListError> {
        let number = self.count + 1;
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|_| ListError::Text(number))?;
        // What spreadsheets write in front of a file.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            return Ok(());
        }
        let json = match (self.format, &self.header) {
            (Format::JsonLines, _) => text.trim().to_owned(),
            (Format::Csv, Some(header)) => object(header, &cells(text)).to_string(),
            (Format::Csv, None) => {
                self.header = Some(header(text)?);
                return Ok(());
            }
        };
        self.count = number;
        self.in_piece += 1;
        self.piece.push_str(&format!("{number}\t{json}\n"));
        Ok(())
    }
}

/// One row of CSV (RFC 4180).
fn cells(row: &str) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        // Its own is 8 KiB, made for whole files.
        .buffer_capacity(row.len().max(1))
        .from_reader(row.as_bytes());
    let record = reader.records().next().and_then(Result::ok);
    let record = record.unwrap_or_default();
    record.iter().map(|cell| cell.trim().to_owned()).collect()
}

fn header(row: &str) -> Result<Vec<String>, ListError> {
    let names = cells(row);
    if let Some(other) = names.iter().find(|name| !COLUMNS.contains(&name.as_str())) {
        return Err(ListError::Column(other.clone()));
    }
    let has = |name: &str| names.iter().any(|column| column == name);
    let finds = ["phone", "external_id", "contact"].into_iter().any(has);
    match has("scope") && has("at") && finds {
        true => Ok(names),
        false => Err(ListError::Header),
    }
}

/// A row of CSV as JSON Lines would have it. Cells too many are a key that no row has.
fn object(header: &[String], cells: &[String]) -> Value {
    let mut object = Map::new();
    for (at, cell) in cells
        .iter()
        .enumerate()
        .filter(|(_, cell)| !cell.is_empty())
    {
        let name = header
            .get(at)
            .map_or("a cell without a column", String::as_str);
        object.insert(name.to_owned(), Value::String(cell.clone()));
    }
    Value::Object(object)
}

/// Numbered rows of a piece.
pub fn of_piece(piece: &str) -> impl Iterator<Item = (i64, &str)> {
    piece.lines().filter_map(|line| {
        let (number, json) = line.split_once('\t')?;
        Some((number.parse().ok()?, json))
    })
}

/// A row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub contact: Option<String>,
    pub external_id: Option<String>,
    pub phone: Option<String>,
    scope: String,
    #[serde(default)]
    status: Option<String>,
    at: String,
    /// How it came where it was collected; here it is an import, which lifts nothing.
    channel: Option<String>,
    wording: Option<String>,
    #[serde(default)]
    wording_version: String,
    #[serde(default)]
    language: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    proof: Value,
}

impl Row {
    /// What it says, or everything that does not read.
    pub fn told(&self) -> Result<Told, String> {
        let mut wrong = Vec::new();
        let scope = self.scope.parse().ok();
        if scope.is_none() {
            wrong.push("scope must be all, marketing, utility or topic:NAME");
        }
        let status = match self.status.as_deref() {
            None | Some("given") => Some(ConsentStatus::Given),
            Some("withdrawn") => Some(ConsentStatus::Withdrawn),
            Some(_) => None,
        };
        if status.is_none() {
            wrong.push("status must be given or withdrawn");
        }
        let at: Option<jiff::Timestamp> = self.at.parse().ok();
        if at.is_none() {
            wrong.push("at must be a moment like 2026-11-25T09:30:00Z");
        }
        let (Some(scope), Some(status), Some(at)) = (scope, status, at) else {
            return Err(wrong.join("; "));
        };
        let proof = match (&self.channel, &self.proof) {
            (None, proof) => proof.clone(),
            (Some(channel), proof) => {
                serde_json::json!({"collected_by": channel, "proof": proof})
            }
        };
        Ok(Told {
            scope,
            status,
            channel: ConsentChannel::Import,
            at: Some(Timestamp::from_millis(at.as_millisecond())),
            wording: self.wording.clone().map(|text| Shown {
                text,
                version: self.wording_version.clone(),
                language: self.language.clone(),
            }),
            source: self.source.clone(),
            address: self.address.clone(),
            proof: match proof {
                Value::String(text) => serde_json::json!({"text": text}),
                other => other,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of a list, fed in chunks of this size.
    fn rows(format: Format, list: &str, chunk: usize) -> Result<Vec<(i64, Value)>, ListError> {
        let mut rows = Rows::new(format);
        let mut pieces = Vec::new();
        for chunk in list.as_bytes().chunks(chunk) {
            pieces.extend(rows.take(chunk)?);
        }
        pieces.extend(rows.end()?);
        let all = pieces.iter().flat_map(|piece| of_piece(piece));
        Ok(all
            .map(|(n, json)| (n, serde_json::from_str(json).unwrap_or(Value::Null)))
            .collect())
    }

    #[test]
    fn csv_is_cut_where_rows_end_whatever_the_chunks() {
        let list = "\u{feff}phone,scope,at,wording\r\n+49 151 1,marketing,2026-01-01T00:00:00Z,\"Yes,\r\n\"\"please\"\"\"\r\n\n+49 151 2,all,2026-01-02T00:00:00Z,";
        let whole = rows(Format::Csv, list, 10_000).expect("rows");
        assert_eq!(whole.len(), 2);
        assert_eq!(whole[0].1["wording"], "Yes,\r\n\"please\"");
        assert_eq!(
            whole[1],
            (
                2,
                serde_json::json!({"phone": "+49 151 2", "scope": "all", "at": "2026-01-02T00:00:00Z"})
            )
        );
        for chunk in [1, 2, 7, 40] {
            assert_eq!(
                rows(Format::Csv, list, chunk).expect("rows"),
                whole,
                "{chunk}"
            );
        }
    }

    #[test]
    fn a_long_list_is_many_pieces_and_no_row_is_lost() {
        let list: String = (0..1_001).map(|n| format!("{{\"n\":{n}}}\n")).collect();
        let all = rows(Format::JsonLines, &list, 333).expect("rows");
        assert_eq!(all.len(), 1_001);
        assert!(
            all.iter()
                .zip(1..)
                .all(|((n, row), i)| *n == i && row["n"] == i - 1)
        );
    }

    #[test]
    fn what_is_wrong_with_a_list_names_the_row_or_column() {
        let of = |list: &str| {
            rows(Format::Csv, list, 100)
                .expect_err("an error")
                .to_string()
        };
        assert!(of("phone,scope,at,colour\n").contains("`colour`"));
        assert!(of("phone,at\n1,2\n").contains("needs the columns"));
        assert!(of("phone,scope,at\n").contains("no row"));
        assert!(of("phone,scope,at\na,b,c\n\"x,y,z\n").starts_with("row 2 "));
        let long = format!("phone,scope,at\n{}", "x".repeat(ROW_BYTES + 200));
        assert!(of(&long).starts_with("row 1 "));
    }

    #[test]
    fn a_row_says_everything_that_does_not_read() {
        let row = |json: Value| -> Result<Told, String> {
            let row: Row = serde_json::from_value(json).map_err(|error| error.to_string())?;
            row.told()
        };
        let bad = serde_json::json!({"scope": "x", "at": "y", "status": "z"});
        let error = row(bad).expect_err("an error");
        assert_eq!(error.matches("must be").count(), 3, "{error}");
        let unknown =
            serde_json::json!({"scope": "all", "at": "2026-01-01T00:00:00Z", "colour": 1});
        assert!(row(unknown).expect_err("an error").contains("colour"));
        let good = serde_json::json!({"scope": "topic:news", "at": "2026-01-01T00:00:00Z", "channel": "form", "proof": "ticket 9"});
        let told = row(good).expect("a statement");
        assert_eq!(told.channel, ConsentChannel::Import);
        assert_eq!(told.proof["collected_by"], "form");
    }
}
