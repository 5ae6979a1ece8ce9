"""What each route does, one file a subject; `api.routes` says where and for whom."""
