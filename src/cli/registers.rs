//! The register that a verb works on: the store of the settings, or a folder of files kept for as long as the verb runs.

use std::path::Path;

use super::classify::PassingStore;
use super::compose::{import_options, service, service_on};
use super::exit::Failure;
use super::progress::ImportProgress;
use crate::config::Settings;
use crate::service::{Entropy, Mapping, Models, Service};

/// A register that services can be opened on.
pub(super) struct Registers {
    passing: Option<PassingStore>,
}

impl Registers {
    /// Opens the store of the settings, or imports a folder into a passing one.
    pub(super) fn open(
        settings: &Settings,
        folder: Option<&Path>,
        mapping: Option<&Mapping>,
    ) -> Result<Self, Failure> {
        let Some(folder) = folder else {
            return Ok(Self { passing: None });
        };
        let passing = PassingStore::new()?;
        let service = service_on(settings, &passing.store(), Entropy::System)?;
        let options = import_options(settings);
        let mut progress = ImportProgress::new(None)?;
        let report = service.import_folder(folder, mapping, &options, &mut progress)?;
        progress.finish()?;
        if !report.is_clean() {
            eprintln!("risktier: {} rows were refused", report.refused_count);
        }
        Ok(Self {
            passing: Some(passing),
        })
    }

    /// A service on the register with these settings' model files.
    pub(super) fn service(&self, settings: &Settings) -> Result<Service, Failure> {
        match self.passing.as_ref().map(PassingStore::store) {
            None => service(settings, Entropy::System),
            Some(path) => service_on(settings, &path, Entropy::System),
        }
    }
}

/// The model files to judge: files that are named, otherwise those in force.
pub(super) fn judged(service: &Service, settings: &Settings) -> Models {
    if settings.models.are_named() {
        service.given().clone()
    } else {
        service.current().models.clone()
    }
}
