"""Pages for staff: watch checkouts, find members, see why each decision fell as it did.

A process of its own. It keeps nothing: members, points, staff and their sessions are loyalty's,
deliveries are the notifier's, and both are reached by gRPC only.
"""
