//! Mapping files: how the tables of another system become enterprises and records, without code.
//!
//! A mapping is a TOML file of version `risktier-mapping/1`. Each `[[table]]` names a CSV file, what its rows become,
//! which rows count (`where`) and where each field comes from. Several tables may name one file, so one row of a source
//! may become several records.
//!
//! ```
//! let mapping = risktier::files::Mapping::parse(
//!     r#"
//!     format = "risktier-mapping/1"
//!
//!     [[table]]
//!     file = "fines.csv"
//!     yields = "record"
//!     thousands = ","
//!     where = { status = ["final", "paid"], fine = { above = 0 } }
//!
//!     [table.fields]
//!     record_id     = { columns = ["office", "number"], join = "-" }
//!     enterprise_id = { column = "credit_code" }
//!     kind          = { constant = "penalty" }
//!     occurred_on   = { column = "decided", date = "%d.%m.%Y" }
//!     known_on      = { column = "decided", date = "%d.%m.%Y", plus_days = 7 }
//!     severity      = { column = "class", map = { I = "serious", II = "general" }, otherwise = "skip-row" }
//!     amount_cny    = { column = "fine" }
//!     codes         = [{ column = "article" }, { constant = "repeat", where = { earlier = { above = 0 } } }]
//!     "#,
//! )?;
//! assert_eq!(mapping.record_tables().len(), 1);
//! # Ok::<(), risktier::files::MappingError>(())
//! ```
//!
//! | key of a field | meaning |
//! |---|---|
//! | `column` · `columns` + `join` · `constant` | where the text comes from: one of the three |
//! | `where` | the field is absent in rows that do not meet it |
//! | `absent` | texts that mean "not known", besides the empty cell |
//! | `map` · `otherwise` | translation; an unlisted text is an `error` (default), is kept (`keep`), is `absent`, or drops the row (`skip-row`) |
//! | `default` | the text where none is left, or where `map` does not list it |
//! | `date` · `plus_days` | strptime pattern of a date (default ISO); days added to it |
//! | `times` | factor of a number, for amounts in other units |
//! | `split` | separator of a cell that holds several codes or tags |
//!
//! A list of such tables gathers all its values for `codes` and `tags`; any other field takes the first value present.
//! Booleans are read by `map` (`{ Y = "true", N = "false" }`). Cells are parted by commas
//! and numbers written like 1234.5 unless the table says `delimiter`, `decimal` or `thousands`.
//!
//! Conditions (`where`) name columns; all must hold: a text, a list of texts, or a table with `one_of`, `none_of`,
//! `empty`, `above`, `below`. `[table.attributes]` fills the attributes of enterprises in the same way.

mod check;
mod rows;
mod spec;
mod value;

pub use check::{Demo, Mapping, MappingError, Outcome, Table};
