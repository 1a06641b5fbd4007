//! stub
/// stub
pub struct Mapping;
/// stub
pub struct MappingError;
