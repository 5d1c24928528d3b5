"""Sockets in, `Message` values out: the only room that touches the network on the way in.

A receiver binds one address, stamps what arrives, and hands it to the pipeline's intake (`eventd.contract.Sink`). When
the intake is full it stops reading: UDP then waits and overflows in the kernel, which counts the loss exactly; TCP
makes the sender wait.
"""

from eventd.receivers.kernel import ListenError

__all__ = ["ListenError"]
