use proptest::prelude::*;

use super::super::statistics::Random;
use super::features::COUNT;
use super::*;

/// Positives differ from others in two features and overlap in all.
fn samples(positives: usize, others: usize, families: u32, apart: f64, seed: u64) -> Vec<Sample> {
    let mut random = Random::new(seed);
    let mut draw = |family: Option<u32>, number: usize| {
        let mut features = [0.0; COUNT];
        for feature in &mut features {
            *feature = random.unit() * 4.0;
        }
        if family.is_some() {
            features[0] += apart;
            features[6] += apart;
        }
        Sample { features, family, seed: number as u64 }
    };
    let known = (0..positives).map(|number| (Some(number as u32 % families), number));
    let all: Vec<_> = known.chain((0..others).map(|number| (None, number))).collect();
    all.into_iter().map(|(family, number)| draw(family, number)).collect()
}

#[test]
fn training_is_refused_with_its_reason_where_there_is_nothing_to_learn() {
    assert_eq!(train(&samples(3, 500, 2, 3.0, 1)), Err(NoModel::FewPositives { found: 3 }));
    assert_eq!(train(&samples(40, 500, 1, 3.0, 1)), Err(NoModel::FewFamilies { found: 1 }));
    assert_eq!(train(&samples(40, 50, 3, 3.0, 1)), Err(NoModel::FewSamples { found: 90 }));
    assert!(matches!(train(&samples(40, 500, 3, 0.0, 1)), Err(NoModel::NoBetter { .. })));
}

#[test]
fn a_model_tells_them_apart_and_refuses_outside_of_its_range() {
    let model = train(&samples(60, 900, 3, 2.5, 7)).unwrap();
    assert!(model.area() > 0.9, "{}", model.area());
    let typical = |apart: f64| [2.0 + apart, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0 + apart, 2.0, 2.0];
    assert!(model.log_likelihood_ratio(&typical(3.0)).unwrap() > 1.0);
    assert!(model.log_likelihood_ratio(&typical(0.0)).unwrap() < 0.0);
    let refusal = model.log_likelihood_ratio(&[2.0, 40.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]).unwrap_err();
    assert_eq!(refusal.feature, "bytes back (ln)");
    assert!(model.log_likelihood_ratio(&[f64::NAN; COUNT]).is_err());
}

#[test]
fn training_is_deterministic_and_a_model_survives_json() {
    let one = train(&samples(60, 900, 3, 2.5, 7)).unwrap();
    assert_eq!(one, train(&samples(60, 900, 3, 2.5, 7)).unwrap());
    let again: Model = serde_json::from_str(&serde_json::to_string(&one).unwrap()).unwrap();
    assert!(again.fits());
    let typical = [4.0, 2.0, 2.0, 2.0, 2.0, 2.0, 4.0, 2.0, 2.0];
    let (before, after) = (one.log_likelihood_ratio(&typical).unwrap(), again.log_likelihood_ratio(&typical).unwrap());
    assert!((before - after).abs() < 1e-9);
}

#[test]
fn unlabelled_positives_lower_the_share_that_carries_a_label() {
    let mut list = samples(120, 900, 3, 2.5, 7);
    // Half of the positives lose their label: the labelled share must be seen to fall.
    let whole = train(&list).unwrap();
    for sample in list.iter_mut().filter(|sample| sample.family.is_some()).step_by(2) {
        sample.family = None;
    }
    let half = train(&list).unwrap();
    assert!(half.labelled < whole.labelled);
}

proptest! {
    #[test]
    fn calibration_never_falls_and_stays_a_chance(
            outcomes: Vec<(f64, bool)>, one in -1e3..1e3_f64, more in 0.0..1e3_f64,
        ) {
        let fitted = Isotonic::fit(&outcomes);
        let (low, high) = (fitted.at(one), fitted.at(one + more));
        prop_assert!(low <= high + 1e-12);
        prop_assert!((0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high));
    }
}
