// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import java.io.BufferedReader;
import java.io.PrintWriter;

/**
 * Where a command writes and reads: results on {@code out}, everything for a person's eyes on {@code err}.
 *
 * @param in answers to questions
 * @param out the result
 * @param err progress, notices and errors
 * @param terminal what {@code err} is
 */
record Console(BufferedReader in, PrintWriter out, PrintWriter err, Terminal terminal) {}
