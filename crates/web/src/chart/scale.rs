//! From numbers to places on a drawing.

/// A stretch of numbers laid over a stretch of a drawing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    least: f64,
    most: f64,
    left: u32,
    right: u32,
}

impl Scale {
    /// Lays these numbers over the drawing from `left` to `right`. Numbers that leave no stretch get one.
    pub fn new(numbers: impl IntoIterator<Item = f64>, (left, right): (u32, u32)) -> Self {
        let finite = numbers.into_iter().filter(|number| number.is_finite());
        let (least, most) =
            finite.fold((0.0_f64, 0.0_f64), |(least, most), number| (least.min(number), most.max(number)));
        Self { least, most: if most - least < 1e-9 { least + 1.0 } else { most }, left, right: right.max(left) }
    }

    /// Where a number stands; what lies outside stands at the edge.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the width of a drawing")]
    pub fn place(&self, number: f64) -> u32 {
        let part = ((number - self.least) / (self.most - self.least)).clamp(0.0, 1.0);
        let width = f64::from(self.right - self.left);
        self.left + if part.is_finite() { (part * width).round() as u32 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_where_they_belong() {
        let scale = Scale::new([-2.0, 8.0, f64::NAN], (100, 200));
        assert_eq!(
            [-2.0, 0.0, 3.0, 8.0, 99.0, -99.0, f64::NAN].map(|n| scale.place(n)),
            [100, 120, 150, 200, 200, 100, 100]
        );
        assert_eq!(Scale::new([], (5, 9)).place(0.0), 5);
    }
}
