"""Several learnwares as one answer: reuse strategies as scikit-learn style estimators. No I/O of their own."""
