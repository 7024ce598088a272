//! A place on the map: in a location message, and in a template's header.

use serde::{Deserialize, Serialize};

/// Degrees are kept as whole ten-millionths (a centimetre), so that contents can be compared.
const PER_DEGREE: f64 = 1e7;

/// Degrees north of the equator, -90 to 90.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Latitude(i32);

/// Degrees east of Greenwich, -180 to 180.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Longitude(i32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OffTheGlobe {
    #[error("a latitude is between -90 and 90 degrees")]
    Latitude,
    #[error("a longitude is between -180 and 180 degrees")]
    Longitude,
}

impl TryFrom<f64> for Latitude {
    type Error = OffTheGlobe;

    fn try_from(degrees: f64) -> Result<Self, OffTheGlobe> {
        fixed(degrees, 90.0).map(Self).ok_or(OffTheGlobe::Latitude)
    }
}

impl From<Latitude> for f64 {
    fn from(latitude: Latitude) -> Self {
        Self::from(latitude.0) / PER_DEGREE
    }
}

impl TryFrom<f64> for Longitude {
    type Error = OffTheGlobe;

    fn try_from(degrees: f64) -> Result<Self, OffTheGlobe> {
        fixed(degrees, 180.0)
            .map(Self)
            .ok_or(OffTheGlobe::Longitude)
    }
}

impl From<Longitude> for f64 {
    fn from(longitude: Longitude) -> Self {
        Self::from(longitude.0) / PER_DEGREE
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "180 degrees in ten-millionths fit an i32, and more is refused before"
)]
fn fixed(degrees: f64, most: f64) -> Option<i32> {
    // NaN is in no range.
    (-most..=most)
        .contains(&degrees)
        .then(|| (degrees * PER_DEGREE).round() as i32)
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    pub latitude: Latitude,
    pub longitude: Longitude,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_come_out_as_they_went_in() {
        for degrees in [0.0, 51.5, -0.12, 52.520_008, -90.0, 90.0, 13.404_954_1] {
            let latitude = Latitude::try_from(degrees).expect("on the globe");
            assert_eq!(f64::from(latitude).to_string(), degrees.to_string());
        }
        assert_eq!(
            f64::from(Longitude::try_from(-180.0).expect("on the globe")).to_string(),
            "-180"
        );
    }

    #[test]
    fn what_is_off_the_globe_is_no_place() {
        for degrees in [90.000_001, -91.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Latitude::try_from(degrees), Err(OffTheGlobe::Latitude));
        }
        assert_eq!(Longitude::try_from(180.1), Err(OffTheGlobe::Longitude));
    }
}
