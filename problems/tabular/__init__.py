"""Problems on tables of measurements, on data that scikit-learn bundles."""
