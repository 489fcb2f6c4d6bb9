"""`habitue monitor`: whether registered models still speak of the customers they learned from."""
