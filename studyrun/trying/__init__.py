"""Behind `studyrun.testing`: the laws, examples to try them on, a tiny study."""
