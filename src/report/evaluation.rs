//! The page of one evaluation.

use super::page::Page;
use super::text::{Language, t};
use super::{calibration, card, drift, groups, ranking, tiers};
use crate::service::figures::Evaluation;

/// The report on one model as a self-contained HTML page.
pub fn evaluation_page(evaluation: &Evaluation, language: Language) -> String {
    let model = &evaluation.subject.model;
    let mut page = Page::new(t(
        format!("模型评价：{model}"),
        format!("Evaluation of {model}"),
    ));
    card::summary(&mut page, evaluation);
    ranking::headline(&mut page, evaluation);
    card::guards(&mut page, &evaluation.guards);
    if let Some(view) = evaluation.views.last() {
        let views = [(view, t("模型", "model"))];
        tiers::tiers(&mut page, &views, "model");
        ranking::curves(&mut page, &views, "model");
        calibration::calibration(&mut page, &views, "model");
    }
    ranking::backtest(&mut page, evaluation);
    groups::groups(&mut page, evaluation);
    groups::reasons(&mut page, evaluation);
    if let Some(stability) = &evaluation.stability {
        drift::drift(&mut page, stability);
    }
    card::model_card(&mut page, evaluation);
    card::methods(&mut page, evaluation);
    page.finish(language)
}
