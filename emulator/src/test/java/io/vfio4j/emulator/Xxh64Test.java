// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class Xxh64Test {
    /** From the reference implementation of xxHash. */
    @ParameterizedTest
    @CsvSource({
        "'',ef46db3751d8e999",
        "a,d24ec4f1a98c6e5b",
        "abc,44bc2cf5ad770999",
        "'Nobody inspects the spammish repetition',fbcea83c8a378bf1",
    })
    void shouldHashAsTheReferenceImplementation(String text, String hash) {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        assertThat(Xxh64.of(MemorySegment.ofArray(bytes), bytes.length)).isEqualTo(Long.parseUnsignedLong(hash, 16));
    }
}
