// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class SpreadTest {
    @Test
    void shouldTakeTheMiddleOfAnOddNumber() {
        assertThat(Spread.of(LongStream.of(7, 1, 3))).isEqualTo(new Spread(1, 3, 7));
    }

    @Test
    void shouldTakeTheMeanOfTheMiddleOfAnEvenNumber() {
        assertThat(Spread.of(LongStream.of(7, 1, 3, 4))).isEqualTo(new Spread(1, 3, 7));
        assertThat(Spread.of(LongStream.of(Long.MAX_VALUE, Long.MAX_VALUE - 2)))
                .isEqualTo(new Spread(Long.MAX_VALUE - 2, Long.MAX_VALUE - 1, Long.MAX_VALUE));
    }

    @Test
    void shouldBeTheValueWhenThereIsOne() {
        assertThat(Spread.of(LongStream.of(5))).isEqualTo(new Spread(5, 5, 5));
    }
}
