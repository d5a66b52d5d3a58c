"""The three addresses of the blog posts."""

from django.urls import path

from bench.peers.blog import views

urlpatterns = [
    path("upload/", views.upload),
    path("files/<str:name>", views.download),
    path("certificate", views.certificate),
]
