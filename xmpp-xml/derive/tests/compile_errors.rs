//! What the derives say about declarations that make no sense: where it is wrong, and what to write.

#[test]
fn compile_errors_point_at_the_place_and_say_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
