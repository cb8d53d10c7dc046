"""The statements of Datasette, in processes of their own."""
