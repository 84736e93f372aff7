"""What is counted and tested of features and concepts; pure functions of arrays and tables."""
