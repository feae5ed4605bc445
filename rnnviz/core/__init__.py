"""What a recurrent network does, forward and backward, in plain numpy.

Words and symbols, the same in every module:

    T steps, B batch rows, D input size, H hidden size, G gates (RNN 1, LSTM 4, GRU 3)
    K directions (1 or 2), L layers, S = L * K streams in the order of torch's `h_n`
    N state size of one stream: H, or 2H for the LSTM whose state is the pair (h, c) laid side by side
    a_t pre-activation, h_t hidden state, c_t cell state

A *stream* is one direction of one layer. Arrays are time-major. A *row* counts states: T + 1 of them, the initial
state included. Inside the engine a stream is always walked in its own order, row 0 being its initial state; a reverse
stream writes into a view that runs backwards, so that outside the engine row and position agree for every stream:

    forward stream: row 0 is the initial state, row t the state after step t
    reverse stream: row j < T is the state at position j + 1, row T the initial state

Three gradients are never mixed: the total ∂L/∂h_t (the *adjoint*), the itemised ∂L_t/∂h_k (what the loss of step t
sends to step k) and the transport ∂h_t/∂h_k (a product of step Jacobians, no loss in it).
"""
