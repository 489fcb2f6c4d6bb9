"""The verbs: where pure parts meet disk, database and MLflow. One module per command."""
