"""The verbs: where pure parts meet disk, database and MLflow. One module, or one folder, per command."""
