// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where a command writes and reads: results on {@code out}, everything for a person's eyes on {@code err}.
 *
 * @param in answers to questions
 * @param out the result
 * @param err progress, notices and errors
 * @param terminal what {@code err} is
 */
record Console(BufferedReader in, PrintWriter out, PrintWriter err, Terminal terminal) {
    /** Asks until one of the answers comes, and returns it; null at the end of the input. */
    @Nullable
    String ask(String question, String... answers) throws IOException {
        while (true) {
            err.print(question + " ");
            err.flush();
            String line = in.readLine();
            if (line == null) {
                err.println();
                return null;
            }
            String answer = line.strip();
            if (List.of(answers).contains(answer)) {
                return answer;
            }
        }
    }
}
