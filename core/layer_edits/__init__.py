"""What an artist changed in the surfaces themselves: cut anew, added, laid on cards."""
