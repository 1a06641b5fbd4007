//! Layer 4: reports that people read, as one self-contained HTML page.
//!
//! A page holds no scripts and fetches nothing: it can be mailed, archived and printed, and reads the same in ten years.
//! Chinese and English stand side by side and are switched by the browser alone. Every plot has a table of its numbers
//! beside it, a title and a description, and does not rest on colour. Everything that comes from data is escaped.

mod calibration;
mod card;
mod comparison;
mod drift;
mod evaluation;
mod groups;
mod models;
mod page;
mod plot;
mod precision;
mod ranking;
mod sheet;
mod text;
mod tiers;

pub use comparison::comparison_page;
pub use evaluation::evaluation_page;
pub use models::{model_card_page, validation_page};
pub use sheet::plan_sheet_page;
pub use text::Language;
